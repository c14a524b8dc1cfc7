//! The program: its line of JSON, SIGKILL, SIGTERM.

use crate::support::{Client, id};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    hello: Value,
}

async fn start(arguments: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_discobase-guild"))
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).await.unwrap();
    Program { child, output, hello: serde_json::from_str(&line).unwrap() }
}

impl Program {
    fn text(&self, name: &str) -> &str {
        self.hello[name].as_str().unwrap()
    }

    fn client(&self) -> Client {
        Client::new(self.text("api"), self.text("token"))
    }
}

fn signal(child: &Child, name: &str) {
    let status = std::process::Command::new("kill").args([name, &child.id().unwrap().to_string()]).status();
    assert!(status.unwrap().success());
}

async fn post(client: &Client, path: &str, count: usize) -> Vec<u64> {
    let mut confirmed = Vec::new();
    for _ in 0..count {
        confirmed.push(id(&client.post(path, json!({"content": "x"})).await.ok()["id"]));
    }
    confirmed
}

#[tokio::test]
async fn what_was_confirmed_survives_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let path: &Path = &path;
    // Even without waiting for the disk.
    let arguments = ["--data", path.to_str().unwrap(), "--guild", "shop", "--no-rate-limits", "--no-sync"];
    let mut program = start(&arguments).await;
    let client = program.client();
    let guild = program.text("guild_id").to_owned();
    let channels = format!("/guilds/{guild}/channels");
    let channel = id(&client.post(&channels, json!({"name": "x"})).await.ok()["id"]);
    let messages = format!("/channels/{channel}/messages");
    let mut confirmed = Vec::new();
    for round in 0..3 {
        let client = program.client();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let (client, messages) = (client.clone(), messages.clone());
                tokio::spawn(async move { post(&client, &messages, 10).await })
            })
            .collect();
        for writer in writers {
            confirmed.extend(writer.await.unwrap());
        }
        let file =
            client.upload("POST", &messages, &json!({}), &[(0, "a", &vec![round; 1_500_000])]).await.ok();
        confirmed.push(id(&file["id"]));
        signal(&program.child, "-KILL");
        program.child.wait().await.unwrap();
        program = start(&arguments).await;
        assert_eq!(program.text("guild_id"), guild);
        let client = program.client();
        for id in &confirmed {
            assert_eq!(client.get(&format!("{messages}/{id}")).await.status, 200);
        }
        let last = client.get(&format!("{messages}/{}", id(&file["id"]))).await.ok();
        let url = last["attachments"][0]["url"].as_str().unwrap();
        assert!(client.download("GET", url, &[]).await.body[..] == vec![round; 1_500_000]);
    }
}

#[tokio::test]
async fn it_prints_one_line_and_stops_when_told() {
    let mut program = start(&["--token", "secret"]).await;
    let keys: Vec<_> = program.hello.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["api", "application_id", "gateway", "guild_id", "token"]);
    assert_eq!(program.text("token"), "secret");
    let me = program.client().get("/users/@me").await.ok();
    assert_eq!(me["id"], program.hello["application_id"]);
    signal(&program.child, "-TERM");
    let status = program.child.wait().await.unwrap();
    assert!(status.success());
    let mut rest = String::new();
    program.output.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn it_says_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    std::fs::write(&path, "hello").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_discobase-guild"))
        .args(["--data", path.to_str().unwrap()])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("discobase-guild: the data file ") && text.contains("damaged"), "{text}");
}

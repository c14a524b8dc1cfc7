use std::path::Path;

/// Runs every kept input of a target; a fuzzer found each of them worth keeping, or a bug with it.
fn run(target: &str, check: Check) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&kept).unwrap_or_else(|error| panic!("{}: {error}", kept.display()));
    let mut ran = 0;
    for file in files {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            panic!("the input {} breaks it", path.display());
        }
        ran += 1;
    }
    assert!(ran > 0, "{} is empty", kept.display());
}

macro_rules! kept_inputs {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target), super::$target);
        })*

        /// Every target has its inputs kept, its program, and nothing is kept for what is no target.
        #[test]
        fn every_target_is_complete() {
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
            let mut targets = vec![$(stringify!($target)),*];
            targets.sort_unstable();
            for (folder, ending) in [("corpus", ""), ("fuzz_targets", ".rs")] {
                let mut found: Vec<String> = std::fs::read_dir(fuzz.join(folder))
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .map(|name| name.strip_suffix(ending).unwrap().to_owned())
                    .collect();
                found.sort_unstable();
                assert_eq!(found, targets, "{folder}");
            }
        }
    };
}

kept_inputs! {
    attachment chain checkpoint frame gateway index_segment journal message reply row row_segment sealed_block sealed_frame
    segment_message sort_key topic
}

/// Inputs of random bytes, so that a change is met by more than what is kept. `FUZZ_SEED` and `FUZZ_INPUTS` set where
/// they begin and how many there are.
#[test]
fn random_inputs() {
    let set = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (first, inputs) = (set("FUZZ_SEED", 1), set("FUZZ_INPUTS", 200));
    for seed in first..first + inputs {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        let mut input = vec![0; 64 + usize::try_from(seed % 8).unwrap() * 256];
        hasher.finalize_xof().fill(&mut input);
        for (name, check) in STRUCTURED {
            if std::panic::catch_unwind(|| check(&input)).is_err() {
                panic!("FUZZ_SEED={seed} FUZZ_INPUTS=1 breaks {name}");
            }
        }
    }
}

type Check = fn(&[u8]);

/// The targets that make something of every input.
const STRUCTURED: [(&str, Check); 7] = [
    ("chain", super::chain),
    ("checkpoint", super::checkpoint),
    ("index_segment", super::index_segment),
    ("journal", super::journal),
    ("row_segment", super::row_segment),
    ("sealed_block", super::sealed_block),
    ("sealed_frame", super::sealed_frame),
];

"""Runs the Python example of the local guild's README, as it stands there, and compares its Rust example with
`examples/twilight_bot.rs`, which the examples run.
"""

import re
from pathlib import Path

root = Path(__file__).parent.parent.parent
readme = (root / "discobase-guild/README.md").read_text()
section = readme.split("## Test a bot that has nothing to do with discobase")[1].split("\n## ")[0]
blocks = dict(re.findall(r"```(python|rust,ignore)\n(.*?)```", section, re.S))
twilight = (root / "examples/twilight_bot.rs").read_text()
assert blocks["rust,ignore"] == twilight, "the README's twilight bot is not examples/twilight_bot.rs"
exec(compile(blocks["python"], "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102
print("the README's discord.py example ran, and its twilight example is the one that runs")

//! The blocks of commands on a page of Markdown, and what each says that it prints.

use crate::shown::Shown;

/// A block of commands.
pub struct Block {
    /// Where it begins on the page, from 1.
    pub line: usize,
    /// What is typed.
    pub commands: String,
    /// What the page says is printed, if it says so.
    pub shown: Option<Shown>,
}

impl Block {
    /// Whether a command of the block runs the program `tool`.
    pub fn needs(&self, tool: &str) -> bool {
        self.commands.split_whitespace().any(|word| word == tool)
    }

    /// Whether the block starts several processes that join.
    pub fn is_cluster(&self) -> bool {
        self.commands.contains("hitters run -n ")
    }

    /// Whether the block runs until it is stopped.
    pub fn is_endless(&self) -> bool {
        self.commands.starts_with("tail ") && self.needs("-F")
    }
}

/// The blocks of a page, in order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines().zip(1..).peekable();
    let mut follows_commands = false;
    while let Some((line, number)) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else {
            follows_commands &= line.is_empty();
            continue;
        };
        let inside: Vec<&str> = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```").collect();
        match fence {
            "sh" => blocks.push(Block { line: number, commands: inside.join("\n"), shown: None }),
            "text" | "text like" if follows_commands => {
                let block = blocks.last_mut().expect("commands came before");
                block.shown = Some(Shown::new(&inside.join("\n"), fence == "text like"));
            }
            _ => {}
        }
        follows_commands = fence == "sh";
    }
    blocks
}

#[test]
fn output_belongs_to_the_commands_right_before_it() {
    let page = "```sh\na b\nc\n```\n\n```text\nout\n```\n```sh\nd\n```\nwords\n```text\nother\n```\n";
    let blocks = blocks(page);
    let [first, second] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    assert_eq!((first.line, first.commands.as_str()), (1, "a b\nc"));
    assert_eq!((second.line, second.commands.as_str()), (9, "d"));
    assert!(first.shown.is_some() && second.shown.is_none());
    assert!(first.needs("b") && !first.needs("d"));
}

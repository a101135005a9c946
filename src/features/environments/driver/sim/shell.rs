//! A simulated shell, which converts typed bytes into output and runs no programs. The current time is an argument, so that tests can check
//! the exact output. `editor` handles the keys.

use std::collections::BTreeMap;
use std::fmt::Write;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::super::TerminalSize;
use super::editor::{Editor, Typed};

const GREETING: &str = "This is a simulated shell: it runs no programs. `help` lists its commands.\n";
const HELP: &str = "cat clear date echo env exit help hostname ls ps pwd stty uname uptime whoami
`echo text > file` writes a file that only this terminal sees. Pipes, quotes and variables are not supported.\n";
const PROMPT: &str = "~ $ ";
const HOME: &str = "/tmp/home";
/// Maximum number of files in a terminal, and of file names in one command. This limit and the next two bound the output of a command.
const MAX_FILES: usize = 16;
/// Maximum number of characters in a file's name.
const MAX_NAME: usize = 64;
/// Maximum number of bytes in all files of a terminal.
const MAX_BYTES: usize = 4096;

/// The state of a simulated shell.
pub struct Shell {
    editor: Editor,
    hostname: String,
    /// When the container was started.
    started_at: OffsetDateTime,
    size: TerminalSize,
    files: BTreeMap<String, String>,
    has_ended: bool,
}

impl Shell {
    /// Creates a shell; also returns its greeting.
    pub fn new(hostname: String, started_at: OffsetDateTime, size: TerminalSize) -> (Self, String) {
        let files = BTreeMap::from([("README".to_owned(), GREETING.to_owned())]);
        let shell = Self { editor: Editor::default(), hostname, started_at, size, files, has_ended: false };
        (shell, on_screen(GREETING) + PROMPT)
    }

    pub fn resize(&mut self, size: TerminalSize) {
        self.size = size;
    }

    /// Whether the shell has exited. It produces no output after that.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Processes typed bytes; returns the output.
    pub fn input(&mut self, bytes: &[u8], now: OffsetDateTime) -> String {
        let mut output = String::new();
        for key in self.editor.decode(bytes).chars() {
            if self.has_ended {
                break;
            }
            match self.editor.press(key, &mut output) {
                None => continue,
                Some(Typed::Line(line)) => output.push_str(&on_screen(&self.run(&line, now))),
                Some(Typed::Interrupt) => {}
                Some(Typed::End) => self.has_ended = true,
            }
            if !self.has_ended {
                output.push_str(PROMPT);
            }
        }
        output
    }

    fn run(&mut self, line: &str, now: OffsetDateTime) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            [ref command @ .., ">", name] => {
                let output = self.command(command, now);
                self.write(name, output)
            }
            ref command => self.command(command, now),
        }
    }

    fn write(&mut self, name: &str, text: String) -> String {
        if name.contains('/') {
            return format!("sh: can't create {name}: there are no directories\n");
        }
        if name.chars().count() > MAX_NAME {
            return "sh: can't create the file: File name too long\n".to_owned();
        }
        let others = || self.files.iter().filter(|(other, _)| *other != name);
        if others().count() == MAX_FILES || others().map(|(_, other)| other.len()).sum::<usize>() + text.len() > MAX_BYTES {
            return format!("sh: can't create {name}: No space left on device\n");
        }
        self.files.insert(name.to_owned(), text);
        String::new()
    }

    fn command(&mut self, command: &[&str], now: OffsetDateTime) -> String {
        match *command {
            [] => String::new(),
            ["help", ..] => HELP.to_owned(),
            ["echo", ref words @ ..] => words.join(" ") + "\n",
            ["pwd", ..] => format!("{HOME}\n"),
            ["ls"] => self.files.keys().fold(String::new(), |list, name| list + name + "\n"),
            ["ls", ref names @ ..] => self.each("ls", names, |name, _| format!("{name}\n")),
            ["cat"] => "cat: missing file name\n".to_owned(),
            ["cat", ref names @ ..] => self.each("cat", names, |_, text| text.to_owned()),
            ["env", ..] => format!("HOME={HOME}\nPWD={HOME}\nTERM=xterm-256color\n"),
            ["date", ..] => now.format(&Rfc2822).unwrap_or_default() + "\n",
            ["uname", ..] => "Simulation\n".to_owned(),
            ["whoami", ..] => "nobody\n".to_owned(),
            ["hostname", ..] => format!("{}\n", self.hostname),
            ["uptime", ..] => {
                let minutes = (now - self.started_at).whole_minutes().max(0);
                format!("up {}:{:02}\n", minutes / 60, minutes % 60)
            }
            ["ps", ..] => "PID   USER     COMMAND\n    1 nobody   init (simulated)\n    2 nobody   sh (simulated)\n".to_owned(),
            ["stty", "size"] => format!("{} {}\n", self.size.rows(), self.size.cols()),
            ["stty", ..] => "stty: only `size` is supported\n".to_owned(),
            ["clear", ..] => "\u{1b}[H\u{1b}[2J".to_owned(),
            ["exit", ..] => {
                self.has_ended = true;
                String::new()
            }
            [unknown, ..] => format!("sh: {unknown}: not found\n"),
        }
    }

    fn each(&self, command: &str, names: &[&str], text_of: impl Fn(&str, &str) -> String) -> String {
        if names.len() > MAX_FILES {
            return format!("sh: {command}: Argument list too long\n");
        }
        let mut output = String::new();
        for name in names {
            match self.files.get(*name) {
                Some(text) => output.push_str(&text_of(name, text)),
                None => {
                    let _infallible = writeln!(output, "{command}: {name}: No such file or directory");
                }
            }
        }
        output
    }
}

/// Converts line endings for a terminal, which needs a carriage return before each newline.
fn on_screen(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const STARTED: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);
    const NOW: OffsetDateTime = datetime!(2026-11-22 12:05:59 UTC);

    fn shell() -> Shell {
        Shell::new("box".to_owned(), STARTED, TerminalSize::new(80, 24).unwrap()).0
    }

    /// The output for a line, without echo and prompt.
    fn says(shell: &mut Shell, line: &str) -> String {
        let output = shell.input(format!("{line}\r").as_bytes(), NOW);
        output.strip_prefix(&format!("{line}\r\n")).unwrap().strip_suffix(PROMPT).unwrap().replace("\r\n", "\n")
    }

    #[test]
    fn a_shell_reports_that_it_is_simulated() {
        let (_, output) = Shell::new("box".to_owned(), STARTED, TerminalSize::new(80, 24).unwrap());
        assert_eq!(output, "This is a simulated shell: it runs no programs. `help` lists its commands.\r\n~ $ ");
        assert_eq!(says(&mut shell(), "uname -a"), "Simulation\n");
    }

    #[test]
    fn the_output_for_typed_bytes_is_exact() {
        assert_eq!(shell().input(b"echo  a\x7fb c\r\rls", NOW), "echo  a\u{8} \u{8}b c\r\nb c\r\n~ $ \r\n~ $ ls");
        assert_eq!(shell().input(b"ls\x03", NOW), "ls^C\r\n~ $ ");
    }

    #[test]
    fn every_command_that_help_lists_is_known() {
        let help = says(&mut shell(), "help");
        let commands: Vec<&str> = help.lines().next().unwrap().split(' ').collect();
        assert_eq!(commands.len(), 15);
        for command in commands {
            let mut shell = shell();
            let output = shell.input(format!("{command}\r").as_bytes(), NOW);
            assert!(!output.contains("not found"), "{output}");
            assert_eq!(shell.has_ended(), command == "exit");
        }
        assert_eq!(says(&mut shell(), "vi README"), "sh: vi: not found\n");
    }

    #[test]
    fn commands_report_the_container_and_the_time() {
        let mut shell = shell();
        for (line, output) in [
            ("pwd", "/tmp/home\n"),
            ("hostname", "box\n"),
            ("whoami", "nobody\n"),
            ("date", "Sun, 22 Nov 2026 12:05:59 +0000\n"),
            ("uptime", "up 26:05\n"),
            ("stty size", "24 80\n"),
            ("stty -echo", "stty: only `size` is supported\n"),
            ("clear", "\u{1b}[H\u{1b}[2J"),
            ("", ""),
        ] {
            assert_eq!(says(&mut shell, line), output, "{line}");
        }
        shell.resize(TerminalSize::new(132, 50).unwrap());
        assert_eq!(says(&mut shell, "stty size"), "50 132\n");
    }

    #[test]
    fn files_are_written_listed_and_read() {
        let mut shell = shell();
        assert_eq!(says(&mut shell, "echo one > a"), "");
        assert_eq!(says(&mut shell, "echo two > a"), "");
        assert_eq!(says(&mut shell, "> b"), "");
        assert_eq!(says(&mut shell, "ls"), "README\na\nb\n");
        assert_eq!(says(&mut shell, "ls a c"), "a\nls: c: No such file or directory\n");
        assert_eq!(says(&mut shell, "cat a b c"), "two\ncat: c: No such file or directory\n");
        assert_eq!(says(&mut shell, "echo x > ../a"), "sh: can't create ../a: there are no directories\n");
    }

    #[test]
    fn files_stay_within_their_limits() {
        let mut shell = shell();
        for n in 1..MAX_FILES {
            assert_eq!(says(&mut shell, &format!("echo > {n}")), "");
        }
        assert_eq!(says(&mut shell, "echo > more"), "sh: can't create more: No space left on device\n");
        assert_eq!(says(&mut shell, "echo again > 1"), "");
        assert_eq!(says(&mut shell, &format!("> {}", "x".repeat(65))), "sh: can't create the file: File name too long\n");
    }

    #[test]
    fn files_copied_into_each_other_stay_within_the_limit() {
        let mut shell = shell();
        let line = "x".repeat(900);
        assert_eq!(says(&mut shell, &format!("echo {line} > a")), "");
        assert_eq!(says(&mut shell, "cat a a > b"), "");
        assert_eq!(says(&mut shell, "cat b b > a"), "sh: can't create a: No space left on device\n");
        assert_eq!(says(&mut shell, "cat a"), format!("{line}\n"));
        assert_eq!(says(&mut shell, "cat b > c"), "sh: can't create c: No space left on device\n");
        assert_eq!(says(&mut shell, "echo > b"), "");
        assert_eq!(says(&mut shell, "cat a a > c"), "");
    }

    #[test]
    fn a_command_reads_at_most_the_maximum_number_of_files() {
        let mut shell = shell();
        let names = |count| " README".repeat(count);
        assert_eq!(says(&mut shell, &format!("cat{}", names(MAX_FILES))), GREETING.repeat(MAX_FILES));
        for command in ["cat", "ls"] {
            let refused = format!("sh: {command}: Argument list too long\n");
            assert_eq!(says(&mut shell, &format!("{command}{}", names(MAX_FILES + 1))), refused);
        }
    }

    #[test]
    fn a_shell_that_has_ended_outputs_nothing() {
        for (input, output) in [(&b"exit\recho x\r"[..], "exit\r\n"), (b"\x04x", "\r\n")] {
            let mut shell = shell();
            assert_eq!(shell.input(input, NOW), output);
            assert!(shell.has_ended());
            assert_eq!(shell.input(b"x", NOW), "");
        }
    }
}

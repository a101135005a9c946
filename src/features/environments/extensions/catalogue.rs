//! The catalogue of extensions: title, description and scripts of each. Scripts are fixed text for a POSIX shell. They need no network, are
//! idempotent, and write files only below `$HOME`.

use super::super::driver::{Image, Script};
use crate::domain::Extension;

/// The catalogue entry of an extension.
pub struct Row {
    /// Display name.
    pub title: &'static str,
    /// One or two short sentences for users.
    pub description: &'static str,
    pub install: Script,
    pub remove: Script,
}

impl Row {
    /// Whether the extension can be installed in environments with this image.
    pub fn fits(&self, image: Image) -> bool {
        self.install.requires.is_none_or(|program| image.has(program))
    }
}

const fn anywhere(text: &'static str) -> Script {
    Script { requires: None, text }
}

const fn with(program: &'static str, text: &'static str) -> Script {
    Script { requires: Some(program), text }
}

/// The catalogue entry of an extension.
pub const fn row(extension: Extension) -> Row {
    match extension {
        Extension::ShellPrompt => Row {
            title: "Shell prompt",
            description: "Shows the working directory in the prompt of every shell.",
            install: anywhere(r#"set -e; mkdir -p "$HOME"; printf '%s\n' "PS1='\w \$ '" > "$HOME/.profile""#),
            remove: anywhere(r#"rm -f "$HOME/.profile""#),
        },
        Extension::GitAliases => Row {
            title: "Git aliases",
            description: "Adds short aliases for common Git commands.",
            install: anywhere(
                r#"set -e; mkdir -p "$HOME/.config/git"
                   printf '[alias]\n\tst = status\n\tci = commit\n\tlg = log --graph --oneline\n' > "$HOME/.config/git/config""#,
            ),
            remove: anywhere(r#"rm -f "$HOME/.config/git/config""#),
        },
        Extension::EditorDefaults => Row {
            title: "Editor defaults",
            description: "Adds an EditorConfig file for everything below the home directory.",
            install: anywhere(
                r#"set -e; mkdir -p "$HOME"
                   printf 'root = true\n\n[*]\ncharset = utf-8\nend_of_line = lf\ninsert_final_newline = true\n' > "$HOME/.editorconfig""#,
            ),
            remove: anywhere(r#"rm -f "$HOME/.editorconfig""#),
        },
        Extension::Heartbeat => Row {
            title: "Heartbeat",
            description: "Writes a line to the environment's log every five seconds.",
            install: anywhere(
                r#"set -e; mkdir -p "$HOME/.start"
                   if [ -f "$HOME/.heartbeat" ] && kill -0 "$(cat "$HOME/.heartbeat")" 2>/dev/null; then exit 0; fi
                   echo 'echo $$ > "$HOME/.heartbeat"; while :; do echo heartbeat; sleep 5; done' > "$HOME/.start/heartbeat"
                   /bin/sh "$HOME/.start/heartbeat" >/proc/1/fd/1 2>&1 </dev/null &"#,
            ),
            remove: anywhere(
                r#"rm -f "$HOME/.start/heartbeat"
                   if [ -f "$HOME/.heartbeat" ]; then kill "$(cat "$HOME/.heartbeat")" 2>/dev/null; rm -f "$HOME/.heartbeat"; fi"#,
            ),
        },
        Extension::NodeTools => Row {
            title: "Node tools",
            description: "Lets npm install programs without root. Requires an image with Node.js.",
            install: with(
                "node",
                r#"set -e; mkdir -p "$HOME/.npm-global"; printf 'prefix=%s\n' "$HOME/.npm-global" > "$HOME/.npmrc"; node --version"#,
            ),
            remove: anywhere(r#"rm -rf "$HOME/.npmrc" "$HOME/.npm-global""#),
        },
        Extension::CargoTools => Row {
            title: "Cargo tools",
            description: "Keeps Cargo's target directory below the home directory. Requires an image with Rust.",
            install: with(
                "cargo",
                r#"set -e; mkdir -p "$HOME/.cargo"; printf '[build]\ntarget-dir = "%s/target"\n' "$HOME" > "$HOME/.cargo/config.toml"; cargo --version"#,
            ),
            remove: anywhere(r#"rm -f "$HOME/.cargo/config.toml""#),
        },
    }
}

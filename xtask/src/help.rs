//! `cargo xtask --help` with the verbs in groups. clap has only one heading for all subcommands, so this module writes
//! the groups into the template of the help.

use std::fmt::Write as _;

use clap::Command;

/// Verbs under one heading.
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// The names of the verbs' modules.
    pub verbs: &'static [&'static str],
}

/// The command whose help lists its verbs in these groups.
pub fn in_groups(command: Command, groups: &[Group]) -> Command {
    let header = *command.get_styles().get_header();
    let literal = *command.get_styles().get_literal();
    let width = groups.iter().flat_map(|group| group.verbs).map(|verb| verb.len()).max().unwrap_or_default();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for Group { title, verbs } in groups {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for verb in *verbs {
            // A module has underscores where the verb has hyphens.
            let verb = verb.replace('_', "-");
            let about = command.find_subcommand(&verb).and_then(Command::get_about).map(ToString::to_string);
            let _ = writeln!(text, "  {literal}{verb:width$}{literal:#}  {}", about.unwrap_or_default());
        }
    }
    let _ = write!(text, "\n{header}Options:{header:#}\n{{options}}");
    command.help_template(text)
}

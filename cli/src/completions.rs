use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{Done, Failure};
use crate::output::Output;

pub(crate) fn run(shell: Shell, output: &mut Output) -> Result<Done, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "annals", &mut script);
    output.plain(&String::from_utf8_lossy(&script))?;
    Ok(Done::Well)
}

/// One page for all: each command has a section with its own options.
pub(crate) fn man(output: &mut Output) -> Result<Done, Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    sections(&command, &mut page)?;
    output.plain(&String::from_utf8_lossy(&page))?;
    Ok(Done::Well)
}

fn sections(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    for it in command
        .get_subcommands()
        .filter(|it| it.get_name() != "help")
    {
        if it.has_subcommands() {
            sections(it, page)?;
            continue;
        }
        // Those of all commands have been said.
        let own = it.clone().mut_args(|it| {
            let hidden = it.is_global_set();
            it.hide(hidden)
        });
        let man = clap_mangen::Man::new(own);
        man.render_name_section(page)?;
        man.render_synopsis_section(page)?;
        man.render_options_section(page)?;
    }
    Ok(())
}

//! The command line.

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    // What a name means depends on where the user is, and on what is in the way there.
    let program = std::env::current_exe().map_or(name, Into::into);
    abslrp::command_line([program].into_iter().chain(arguments)).into()
}

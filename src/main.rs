//! The command line.

fn main() -> std::process::ExitCode {
    abslrp::command_line(std::env::args_os()).into()
}

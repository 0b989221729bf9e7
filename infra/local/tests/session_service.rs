//! The session service's handler is Python, as theirs is; its tests (py/test_session_service.py) need nothing but Python.

use std::path::Path;
use std::process::Command;

#[test]
fn the_session_service_behaves_as_listeners_know_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("py");
    let run =
        Command::new("python3").args(["-B", "-m", "unittest", "test_session_service"]).current_dir(folder).output();
    let run = run.expect("python3 starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

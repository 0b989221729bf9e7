//! `emotion eval`: how good the judgements of the voice are on a corpus that you have. Every recording goes through the worker's
//! own streaming analysis; nothing is downloaded, and nothing leaves the machine.

pub mod corpus;
pub mod listen;
pub mod model;
pub mod report;
pub mod stats;

use crate::cli::EvalArgs;
use crate::error::CtlError;
use listen::Setting;
use model::Claims;
use std::io::{Write, stdout};
use worker_model::Model;

/// Evaluates, writes the report and prints it. Exit code 1 when some files could not be evaluated, or when nothing can be said.
///
/// # Errors
/// [`CtlError::Usage`] when there is no such corpus, [`CtlError::Output`] when the report cannot be written.
pub fn run(args: &EvalArgs) -> Result<u8, CtlError> {
    let corpus = corpus::find(args.layout, &args.root).map_err(|e| CtlError::Usage(e.to_string()))?;
    let setting = Setting { agc: args.agc, noise_snr: args.noise_snr, baseline: args.baseline, seed: args.seed };
    let opened = args.model.as_deref().map(|file| Model::open(file, args.model_library.as_deref())).transpose();
    let mut model = opened.map_err(|e| CtlError::Usage(e.to_string()))?;
    let before = processor_ms();
    let heard = listen::listen(&corpus.recordings, &setting, model.as_mut());
    let used = processor_ms().zip(before).map(|(after, before)| after.saturating_sub(before));
    let claims = model.as_ref().zip(args.model.as_deref()).map(|(model, file)| Claims::of(model, file));
    let report = report::report(args.layout, &setting, heard, corpus.unread, used, claims);
    let json = serde_json::to_string_pretty(&report).map_err(std::io::Error::other)?;
    std::fs::write(&args.out, &json)?;
    let text = if args.json { json } else { report.page().join("\n") };
    writeln!(stdout(), "{text}")?;
    Ok(u8::from(!report.is_whole()))
}

/// Processor time of this process so far; `None` where `/proc` does not tell.
fn processor_ms() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; after it, user and system time are the 12th and 13th field, in hundredths.
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |n: usize| rest.split_whitespace().nth(n)?.parse::<u64>().ok();
    Some((field(11)? + field(12)?) * 10)
}

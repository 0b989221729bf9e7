//! `rollout`: the versions of the worker.

use super::{definitions_of, order, say};
use crate::aws::Aws;
use crate::cli::{RolloutCommand, SignArgs};
use crate::error::CtlError;
use crate::store::{self, Record, Which};
use crate::versions::{self, Change, Scene};

/// The record changes at the same moment: it is read again so often.
const TRIES: u32 = 3;

pub(super) async fn run(aws: &Aws, command: RolloutCommand) -> Result<u8, CtlError> {
    match command {
        RolloutCommand::Status { json } => status(aws, json).await,
        RolloutCommand::Pause(sign) => change(aws, sign, Change::Pause).await,
        RolloutCommand::Resume(sign) => change(aws, sign, Change::Resume).await,
        RolloutCommand::Undo(sign) => change(aws, sign, Change::Undo).await,
    }
}

async fn status(aws: &Aws, json: bool) -> Result<u8, CtlError> {
    let (known, _) = store::versions::read(aws).await?;
    let records = store::rows(aws, Which::Open).await?;
    let deployed = deployed(aws, &records).await?;
    let runs = versions::runs(records.iter().filter_map(Record::row));
    let scene = Scene { deployed: &deployed, runs: &runs, now: store::now() };
    say(&if json { versions::json(&known, &scene).to_string() } else { versions::page(&known, &scene) })?;
    Ok(u8::from(known.bad(&deployed).is_some()))
}

async fn change(aws: &Aws, sign: SignArgs, change: Change) -> Result<u8, CtlError> {
    let deployed = deployed(aws, &[]).await?;
    let signed = order::signed(aws, sign).await;
    for _ in 0..TRIES {
        let (known, revision) = store::versions::read(aws).await?;
        let changed = versions::changed(&known, &deployed, change, &signed).map_err(CtlError::Usage)?;
        if store::versions::write(aws, &changed.known, revision).await? {
            say(&changed.said)?;
            return Ok(0);
        }
    }
    Err(CtlError::Refused("write what is known of the versions: others write it at the same moment; try again".into()))
}

/// The version that the deployment names.
async fn deployed(aws: &Aws, records: &[Record]) -> Result<String, CtlError> {
    let definitions = definitions_of(aws, records).await;
    let problem = definitions.problem.unwrap_or_else(|| "ECS knows none".into());
    let none = || CtlError::Refused(format!("read the current task definition: {problem}"));
    definitions.current.map(|current| current.arn).ok_or_else(none)
}

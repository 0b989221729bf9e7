//! The verbs that write an order: into the row, never a side effect; the controller acts.

use super::{definitions_of, say};
use crate::aws::Aws;
use crate::cli::{DrainArgs, HoldArgs, ReleaseArgs, RestartArgs, SignArgs, StopArgs, WaitArgs};
use crate::error::CtlError;
use crate::orders::{self, Change, Life, Outcome};
use crate::store::{self, Kept, Ordered, Record, Which};
use crate::text::age;
use schemas::ids::SessionId;
use schemas::operator::{Order, Signed, Verb};
use schemas::worker::WorkerRow;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr, stdin};
use std::time::Duration;

/// A row that changes at the same moment is read again so often.
const TRIES: u32 = 3;
/// Longest wait for the name of whoever asks.
const IDENTITY: Duration = Duration::from_secs(4);
/// Time between two looks while waiting.
const POLL: Duration = Duration::from_secs(2);

pub(super) async fn hold(aws: &Aws, args: HoldArgs) -> Result<u8, CtlError> {
    let signed = signed(aws, SignArgs { note: args.note, by: args.by }).await;
    let lasts = i64::try_from(args.lasts.as_millis()).unwrap_or(i64::MAX);
    let change = Change::hold(signed.at.plus_ms(lasts), signed);
    give(aws, &[args.session], &change).await.map(|given| given.code)
}

pub(super) async fn release(aws: &Aws, args: ReleaseArgs) -> Result<u8, CtlError> {
    let change = Change::release(signed(aws, args.sign).await);
    give(aws, &[args.session], &change).await.map(|given| given.code)
}

pub(super) async fn stop(aws: &Aws, args: StopArgs) -> Result<u8, CtlError> {
    if !args.yes && !agreed(aws, &args.sessions).await? {
        say("nothing is stopped")?;
        return Ok(1);
    }
    order(aws, Verb::Stop, None, &args.sessions, args.sign, &args.wait).await
}

pub(super) async fn restart(aws: &Aws, args: RestartArgs) -> Result<u8, CtlError> {
    order(aws, Verb::Restart, None, &args.sessions, args.sign, &args.wait).await
}

pub(super) async fn drain(aws: &Aws, args: DrainArgs) -> Result<u8, CtlError> {
    let sessions = if args.all || args.old { fleet(aws, args.old).await? } else { args.sessions };
    if sessions.is_empty() {
        say(if args.old { "no worker is on an old task definition" } else { "no session has a worker" })?;
        return Ok(0);
    }
    let question = orders::drain_question(sessions.len(), args.at_once);
    if (args.all || args.old) && !args.yes && !says_yes("drain --all and drain --old ask first", &question)? {
        say("nothing is drained")?;
        return Ok(1);
    }
    let at_once = (args.at_once > 1).then_some(args.at_once);
    order(aws, Verb::Drain, at_once, &sessions, args.sign, &args.wait).await
}

/// The sessions that have a worker; with `old`, on an old task definition.
async fn fleet(aws: &Aws, old: bool) -> Result<Vec<SessionId>, CtlError> {
    let records = store::rows(aws, Which::Open).await?;
    let definitions = definitions_of(aws, &records).await;
    if let (true, Some(problem)) = (old, &definitions.problem) {
        return Err(CtlError::Refused(format!("read the current task definition: {problem}")));
    }
    // Whoever is being stopped or restarted leaves the old definition anyway.
    let free = |row: &&WorkerRow| row.task.is_some() && orders::pending(row).is_none();
    let rows = records.iter().filter_map(Record::row).filter(free);
    Ok(rows.filter(|row| !old || definitions.is_old(row)).map(|row| row.session_id.clone()).collect())
}

/// Asks a person; without one, refuses.
async fn agreed(aws: &Aws, sessions: &[SessionId]) -> Result<bool, CtlError> {
    nobody_is_asked_in_vain("stop asks before it ends a session")?;
    let mut err = stderr();
    let now = store::now();
    for id in sessions {
        if let Record::Row(row) = store::session(aws, id).await?.current {
            writeln!(err, "  {}", orders::stakes(&row, now))?;
        }
    }
    let question = format!("Stop {} session(s)? Listeners are told that it has ended.", sessions.len());
    says_yes("stop asks before it ends a session", &question)
}

/// Refuses where a question could not be answered.
fn nobody_is_asked_in_vain(what: &str) -> Result<(), CtlError> {
    if stdin().is_terminal() {
        return Ok(());
    }
    Err(CtlError::Usage(format!("{what}, and nobody can answer here: add --yes")))
}

/// Asks a person; without one, refuses.
fn says_yes(what: &str, question: &str) -> Result<bool, CtlError> {
    nobody_is_asked_in_vain(what)?;
    let mut err = stderr();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn order(
    aws: &Aws,
    verb: Verb,
    at_once: Option<u32>,
    sessions: &[SessionId],
    sign: SignArgs,
    wait: &WaitArgs,
) -> Result<u8, CtlError> {
    let signed = signed(aws, sign).await;
    let order = Order { verb, at_once, signed };
    let given = give(aws, sessions, &Change::Order(order)).await?;
    let orders: Vec<(SessionId, Order)> = given
        .to
        .into_iter()
        .filter_map(|(id, written)| match written {
            Change::Order(order) => Some((id, order)),
            Change::Hold(_) => None,
        })
        .collect();
    if !wait.wait || orders.is_empty() {
        return Ok(given.code);
    }
    Ok(given.code.max(until_done(aws, &orders, wait.timeout).await?))
}

/// Who it was, asked of AWS; else the login name and the profile.
pub(super) async fn signed(aws: &Aws, sign: SignArgs) -> Signed {
    let by = match sign.by {
        Some(by) => by,
        None => identity(aws).await,
    };
    Signed { by, at: store::now(), note: sign.note }
}

async fn identity(aws: &Aws) -> String {
    let asked = tokio::time::timeout(IDENTITY, aws.sts.get_caller_identity().send()).await;
    let arn = asked.ok().and_then(Result::ok).and_then(|answer| answer.arn);
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let login = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
    let own = |login: String| variable("AWS_PROFILE").map_or(login.clone(), |profile| format!("{login} ({profile})"));
    // `arn:aws:sts::123456789012:assumed-role/Operators/alice`: the account is that of the table.
    let tail = arn.as_deref().and_then(|arn| arn.rsplit(':').next());
    tail.map_or_else(|| own(login), ToOwned::to_owned)
}

/// To whom an order was given, as it stands in their rows, and how that went.
struct Given {
    to: Vec<(SessionId, Change)>,
    code: u8,
}

/// Writes the order for each session and says what will happen; one that cannot take it does not keep it from the others.
async fn give(aws: &Aws, sessions: &[SessionId], change: &Change) -> Result<Given, CtlError> {
    let (mut given, mut before) = (Given { to: Vec::new(), code: 0 }, String::new());
    for id in sessions {
        match give_one(aws, id, change).await {
            Ok((written, (said, next))) => {
                // What happens next is the same for most of many: it is said once.
                say(&if next == before { said } else { format!("{said} {next}") })?;
                before = next;
                given.to.push((id.clone(), written));
            }
            Err(CtlError::NotFound(why)) => {
                writeln!(stderr(), "sessionctl: {why}")?;
                given.code = 1;
            }
            Err(other) => return Err(other),
        }
    }
    Ok(given)
}

async fn give_one(aws: &Aws, id: &SessionId, change: &Change) -> Result<(Change, (String, String)), CtlError> {
    for _ in 0..TRIES {
        let kept = store::session(aws, id).await?;
        let row = readable(&kept)?;
        let now = store::now();
        if let Some(why) = orders::refusal(row, change) {
            return Err(CtlError::NotFound(format!(
                "{id} is {:?} since {}: {why}",
                row.phase,
                age(row.phase_since, now)
            )));
        }
        let change = change.clone().signed_at(orders::signed_at(row, now));
        let update = orders::update(&change, kept.section, Life::of(row))
            .map_err(|e| CtlError::Refused(format!("write the order: {e}")))?;
        match store::order(aws, id, update).await? {
            Ordered::Written => {
                let said = orders::receipt(row, &change, now);
                if let Err(error) = store::leave_record(aws, id, &change).await {
                    writeln!(
                        stderr(),
                        "sessionctl: the order stands, but its record does not ({error}): the controller finds the order at its next minute, or within an hour where the run has ended"
                    )?;
                }
                return Ok((change, said));
            }
            Ordered::Moved => {}
        }
    }
    Err(CtlError::NotFound(format!("the row of {id} changes too fast; look at it and repeat")))
}

fn readable(kept: &Kept) -> Result<&WorkerRow, CtlError> {
    match &kept.current {
        Record::Row(row) => Ok(row),
        Record::Unreadable { session, problem, .. } => Err(CtlError::NotFound(format!(
            "the row of {session} is of another version ({problem}); use the sessionctl of the deployed version"
        ))),
    }
}

/// Looks until every order is done, and tells each change of phase on stderr.
async fn until_done(aws: &Aws, orders: &[(SessionId, Order)], longest: Duration) -> Result<u8, CtlError> {
    let end = tokio::time::Instant::now() + longest;
    let mut open: BTreeMap<&SessionId, (&Order, String)> =
        orders.iter().map(|(id, order)| (id, (order, String::new()))).collect();
    let mut code = 0;
    loop {
        let mut finished = Vec::new();
        for (id, (order, before)) in &mut open {
            let kept = store::session(aws, id).await?;
            let row = readable(&kept)?;
            let now = store::now();
            match orders::outcome(row, order, now) {
                Outcome::Waiting(state) if state != *before => {
                    writeln!(stderr(), "  {id}: {state}")?;
                    *before = state;
                }
                Outcome::Waiting(_) => {}
                Outcome::Done(said) => {
                    say(&format!("{id}: {said}"))?;
                    finished.push(*id);
                }
                Outcome::Otherwise(said) => {
                    writeln!(stderr(), "sessionctl: {id}: {said}")?;
                    code = 1;
                    finished.push(*id);
                }
            }
        }
        open.retain(|id, _| !finished.contains(id));
        if open.is_empty() {
            return Ok(code);
        }
        if tokio::time::Instant::now() >= end {
            let names: Vec<_> = open.keys().map(ToString::to_string).collect();
            let waited = crate::text::duration(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX));
            writeln!(stderr(), "sessionctl: not done within {waited}: {}; the order stands", names.join(", "))?;
            return Ok(1);
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                writeln!(stderr(), "sessionctl: not waiting any longer; the order stands")?;
                return Ok(1);
            }
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

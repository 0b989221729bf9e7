use super::words::forecast;
use super::*;
use crate::store::samples::{T0, row};
use schemas::reason::{Cause, Why};
use schemas::worker::Phase;

const NOW: Timestamp = Timestamp(T0 + 10_000);

fn signed(at: i64) -> Signed {
    Signed { by: "alice".into(), at: Timestamp(at), note: "looks odd".into() }
}

fn ordered(verb: Verb, at: i64) -> WorkerRow {
    let mut row = row("a-b-001");
    row.operator.order = Some(Order { verb, at_once: None, signed: signed(at) });
    row
}

#[test]
fn an_order_touches_the_operators_section_and_the_next_look_and_nothing_else() {
    for change in [Change::order(Verb::Stop, signed(NOW.0)), Change::hold(NOW.plus_ms(1), signed(NOW.0))] {
        for section in [Section::Present, Section::Absent] {
            let update = update(&change, section, Life::Open).unwrap();
            let mut names: Vec<_> = update.names.values().map(String::as_str).collect();
            names.sort_unstable();
            names.retain(|name| !["hold", "order"].contains(name));
            assert_eq!(names, ["nextLookAt", "open", "operator"], "{}", update.expression);
            assert!(!update.expression.contains("REMOVE") && !update.expression.contains("#open"), "{update:?}");
        }
    }
}

#[test]
fn a_row_that_is_gone_or_ended_takes_no_order() {
    for section in [Section::Present, Section::Absent] {
        let update = update(&Change::order(Verb::Drain, signed(NOW.0)), section, Life::Open).unwrap();
        assert!(update.condition.contains("#open = :open"), "{}", update.condition);
    }
}

#[test]
fn an_order_does_not_undo_a_hold_that_somebody_else_gives_at_the_same_moment() {
    let order = update(&Change::order(Verb::Restart, signed(NOW.0)), Section::Present, Life::Open).unwrap();
    assert_eq!(order.expression, "SET #operator.#part = :order, #next = :now");
    assert_eq!(order.names["#part"], "order");
    let first = update(&Change::order(Verb::Restart, signed(NOW.0)), Section::Absent, Life::Open).unwrap();
    assert!(first.condition.contains("attribute_not_exists(#operator)"));
}

#[test]
fn what_is_written_is_read_back_with_who_when_and_note() {
    let change = Change::hold(Timestamp(T0 + 99), signed(T0));
    let update = update(&change, Section::Absent, Life::Open).unwrap();
    let section: Operator = serde_dynamo::from_attribute_value(update.values[":order"].clone()).unwrap();
    assert_eq!(section.hold, Some(Hold { until: Timestamp(T0 + 99), signed: signed(T0) }));
}

#[test]
fn a_release_says_who_released() {
    let mut row = row("a-b-001");
    let Change::Hold(hold) = Change::release(signed(NOW.0)) else { panic!("an order") };
    row.operator.hold = Some(hold);
    assert!(held(&row, NOW).is_none());
    assert!(sentences(&row, NOW)[0].starts_with("released ") && sentences(&row, NOW)[0].contains("alice"));
}

#[test]
fn a_hold_ends_by_itself() {
    let mut row = row("a-b-001");
    row.operator.hold = Some(Hold { until: NOW, signed: signed(T0) });
    assert!(held(&row, Timestamp(NOW.0 - 1)).is_some() && held(&row, NOW).is_none());
}

#[test]
fn a_restart_is_done_by_a_newer_generation() {
    let mut row = ordered(Verb::Restart, T0 + 5_000);
    assert_eq!(fate(&row, row.operator.order.as_ref().unwrap()), Fate::Pending);
    if let Some(intent) = &mut row.intent {
        intent.decided_at = Timestamp(T0 + 6_000);
    }
    assert!(pending(&row).is_none());
}

#[test]
fn a_stop_is_done_by_a_final_phase_or_a_newer_run_and_not_by_a_newer_generation() {
    let mut row = ordered(Verb::Stop, T0 + 5_000);
    if let Some(intent) = &mut row.intent {
        intent.wanted_since = Some(Timestamp(T0));
        intent.decided_at = Timestamp(T0 + 6_000);
    }
    assert!(pending(&row).is_some(), "a generation that was launched in the meantime");
    row.phase = Phase::Draining;
    assert_eq!(pending(&row).unwrap().1, Fate::UnderWay);
    let mut newer = row.clone();
    if let Some(intent) = &mut newer.intent {
        intent.wanted_since = Some(Timestamp(T0 + 6_000));
    }
    assert!(pending(&newer).is_none(), "another run of the same id");
    row.phase = Phase::Stopped;
    row.why = Why::new(Cause::OperatorStop, "an operator asked", NOW);
    assert!(pending(&row).is_none());
}

#[test]
fn an_order_for_a_held_session_says_that_it_waits() {
    let mut row = row("a-b-001");
    row.operator.hold = Some(Hold { until: NOW.plus_ms(60_000), signed: signed(T0) });
    let said = forecast(&row, &Change::order(Verb::Stop, signed(NOW.0)), NOW);
    assert!(said.contains("waits") && said.contains("sessionctl release a-b-001"), "{said}");
}

#[test]
fn a_table_shows_holds_and_orders_with_who_gave_them() {
    let mut row = ordered(Verb::Drain, T0 + 5_000);
    row.operator.hold = Some(Hold { until: NOW.plus_ms(7_140_000), signed: signed(T0) });
    assert_eq!(
        marks(&row, NOW),
        ["held for 1h59m by alice (\"looks odd\")", "drain pending since 5s, by alice (\"looks odd\")"]
    );
}

#[test]
fn a_restart_is_waited_for_until_the_next_generation_works() {
    let mut row = ordered(Verb::Restart, T0 + 5_000);
    let order = row.operator.order.clone().unwrap();
    assert!(matches!(outcome(&row, &order, NOW), Outcome::Waiting(_)), "Live, but the old generation");
    if let Some(intent) = &mut row.intent {
        intent.decided_at = Timestamp(T0 + 6_000);
    }
    row.phase = Phase::Launching;
    assert!(matches!(outcome(&row, &order, NOW), Outcome::Waiting(_)));
    row.phase = Phase::Live;
    assert!(matches!(outcome(&row, &order, NOW), Outcome::Done(_)));
    row.phase = Phase::Stopped;
    assert!(matches!(outcome(&row, &order, NOW), Outcome::Otherwise(_)), "the session ended instead");
}

#[test]
fn an_order_that_another_order_replaced_is_not_waited_for() {
    let mut row = ordered(Verb::Restart, T0 + 5_000);
    let mine =
        row.operator.order.replace(Order { verb: Verb::Stop, at_once: None, signed: signed(T0 + 6_000) }).unwrap();
    assert_eq!(outcome(&row, &mine, NOW), Outcome::Otherwise("stop of alice took its place".into()));
}

#[test]
fn an_ended_session_takes_no_order() {
    let mut row = row("a-b-001");
    let stop = Change::order(Verb::Stop, signed(NOW.0));
    assert!(refusal(&row, &stop).is_none());
    row.phase = Phase::Failed;
    assert!(refusal(&row, &stop).is_some() && refusal(&row, &Change::release(signed(NOW.0))).is_some());
}

#[test]
fn a_failed_session_can_be_begun_again() {
    let mut row = ordered(Verb::Restart, T0 + 5_000);
    row.phase = Phase::Failed;
    assert!(refusal(&row, &Change::order(Verb::Restart, signed(NOW.0))).is_none());
    assert_eq!(pending(&row).unwrap().1, Fate::Pending, "ordered after it failed");
    row.phase_since = Timestamp(T0 + 6_000);
    assert!(pending(&row).is_none(), "failed after the order");
    let update = update(&Change::order(Verb::Restart, signed(NOW.0)), Section::Present, Life::Ended).unwrap();
    assert!(
        !update.expression.contains("#next") && update.condition.contains("attribute_not_exists(#open)"),
        "{update:?}"
    );
}

#[test]
fn a_drain_does_not_undo_a_stop_and_a_restart_does_so_openly() {
    let row = ordered(Verb::Stop, T0 + 5_000);
    let refused = refusal(&row, &Change::order(Verb::Drain, signed(NOW.0))).unwrap();
    assert_eq!(refused, "the stop of alice asks for more than a drain");
    let restart = Change::order(Verb::Restart, signed(NOW.0));
    assert!(refusal(&row, &restart).is_none());
    assert!(receipt(&row, &restart, NOW).1.ends_with("It takes the place of the stop of alice."));
}

#[test]
fn an_order_is_signed_after_the_generation_that_it_is_meant_for_and_a_hold_keeps_its_length() {
    let row = row("a-b-001");
    assert_eq!(signed_at(&row, Timestamp(T0 - 5_000)), Timestamp(T0 + 1));
    assert_eq!(signed_at(&row, NOW), NOW);
    let moved = Change::hold(Timestamp(T0 + 60_000), signed(T0)).signed_at(Timestamp(T0 + 500));
    let Change::Hold(hold) = moved else { panic!("an order") };
    assert_eq!((hold.signed.at, hold.until), (Timestamp(T0 + 500), Timestamp(T0 + 60_500)));
}

#[test]
fn a_receipt_says_who_what_and_when_it_happens() {
    let (said, next) = receipt(&row("a-b-001"), &Change::order(Verb::Stop, signed(NOW.0)), NOW);
    assert_eq!(said, "a-b-001: stop ordered by alice (\"looks odd\").");
    assert!(next.starts_with("The controller looks at once, within 60 s at the latest, and asks"), "{next}");
}

#[test]
fn an_order_that_is_not_carried_out_yet_says_what_it_waits_for() {
    let state = |row: &WorkerRow| sentences(row, NOW).pop().unwrap();
    assert!(state(&ordered(Verb::Restart, T0 + 5_000)).ends_with(": not acted on yet"));
    let mut drained = ordered(Verb::Drain, T0 + 5_000);
    assert!(state(&drained).ends_with(": waits for its turn, one session at a time"), "{}", state(&drained));
    drained.operator.order.as_mut().unwrap().at_once = Some(3);
    assert!(state(&drained).ends_with(": waits for its turn, 3 sessions at a time"), "{}", state(&drained));
    drained.operator.hold = Some(Hold { until: NOW.plus_ms(60_000), signed: signed(T0) });
    assert!(state(&drained).ends_with(": waits until the hold ends"), "{}", state(&drained));
}

#[test]
fn a_release_does_not_hide_who_held_and_why() {
    let mut row = row("a-b-001");
    let hold = Hold { until: Timestamp(T0 + 60_000), signed: signed(T0) };
    let Change::Hold(release) = Change::release(Signed { by: "bob".into(), ..signed(T0 + 5_000) }) else {
        panic!("order")
    };
    row.operator.hold = Some(release.clone());
    let of = |hold| Operator { hold: Some(hold), order: None };
    let told = past(&row, &[of(hold), of(release)]);
    assert_eq!(told.len(), 1, "the release stands in the row: {told:?}");
    assert!(told[0].starts_with("hold ordered ") && told[0].contains("by alice (\"looks odd\")"), "{told:?}");
}

#[test]
fn a_drain_of_many_says_how_long_it_will_take() {
    let said = drain_question(40, 1);
    assert!(said.contains("40 session(s), 1 at a time") && said.contains("about 1h20m"), "{said}");
    assert!(drain_question(40, 4).contains("about 20m"), "{}", drain_question(40, 4));
    assert!(drain_question(41, 4).contains("about 22m"), "{}", drain_question(41, 4));
}

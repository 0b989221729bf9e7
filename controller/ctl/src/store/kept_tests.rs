use super::*;
use crate::store::samples::{T0, row};
use schemas::ids::{Generation, Timestamp};
use schemas::operator::{Order, Signed, Verb};
use schemas::reason::{Cause, Why};
use schemas::worker::Phase;

#[test]
fn a_row_survives_the_table() {
    let row = row("a-b-001");
    let item: Item = serde_dynamo::to_item(&row).unwrap();
    assert_eq!(read_item(item), Record::Row(Box::new(row)));
}

#[test]
fn attributes_that_only_the_table_needs_do_not_disturb() {
    let mut item: Item = serde_dynamo::to_item(row("a-b-001")).unwrap();
    item.insert("record".into(), AttributeValue::S("current".into()));
    item.insert("ttl".into(), AttributeValue::N("1".into()));
    assert!(read_item(item).row().is_some());
}

#[test]
fn a_row_of_another_version_is_named_with_its_problem() {
    let item: Item = [
        ("sessionId".to_owned(), AttributeValue::S("a-b-001".into())),
        ("record".to_owned(), AttributeValue::S("current".into())),
    ]
    .into();
    let Record::Unreadable { session, record, problem } = read_item(item) else { panic!("read") };
    assert_eq!((session.as_str(), record.as_str()), ("a-b-001", "current"));
    assert!(problem.contains("missing field"), "{problem}");
}

fn item(record: &str) -> Item {
    let mut item: Item = serde_dynamo::to_item(row("a-b-001")).unwrap();
    item.insert("record".into(), AttributeValue::S(record.into()));
    item
}

#[test]
fn the_records_of_a_session_are_told_apart_by_their_keys() {
    let mut decision = item("decision");
    decision.insert("json".into(), AttributeValue::S("{}".into()));
    let mut first = item("current");
    first.remove("operator");
    let items = vec![first, decision, item("generation#00000001"), item("generation#00000002"), item("stray#x")];
    let kept = Kept::of(items).unwrap();
    assert_eq!((kept.earlier.len(), kept.decision.as_deref(), kept.section), (2, Some("{}"), Section::Absent));
    assert_eq!(Kept::of(vec![item("current")]).unwrap().section, Section::Present);
    assert!(Kept::of(vec![item("generation#00000001")]).is_none());
}

#[test]
fn the_phases_and_the_orders_beside_the_row_are_read_in_their_order() {
    let beside = |record: String| {
        let mut item: Item = Item::new();
        item.insert("sessionId".into(), AttributeValue::S("a-b-001".into()));
        item.insert("record".into(), AttributeValue::S(record));
        item
    };
    let step = |phase, at| {
        let step = Step {
            generation: Generation(1),
            phase,
            at: Timestamp(T0 + at),
            why: Why::new(Cause::SessionActive, "x", Timestamp(T0 + at)),
        };
        let mut item = beside(workers::step(&step));
        let fields: Item = serde_dynamo::to_item(&step).unwrap();
        item.extend(fields);
        item
    };
    let order = |at| {
        let signed = Signed { by: "alice".into(), at: Timestamp(at), note: String::new() };
        let section = Operator { hold: None, order: Some(Order { verb: Verb::Drain, at_once: None, signed }) };
        let mut item = beside(workers::order(Timestamp(at)));
        item.insert("operator".into(), serde_dynamo::to_attribute_value(section).unwrap());
        item
    };
    let items = vec![order(T0 + 9), step(Phase::Live, 5), item("current"), step(Phase::Launching, 0), order(T0)];
    let kept = Kept::of(items).unwrap();
    assert_eq!(kept.steps.iter().map(|s| s.phase).collect::<Vec<_>>(), [Phase::Launching, Phase::Live]);
    let at = |order: &Operator| order.order.as_ref().map(|order| order.signed.at.0 - T0);
    assert_eq!(kept.orders.iter().map(at).collect::<Vec<_>>(), [Some(0), Some(9)]);
}

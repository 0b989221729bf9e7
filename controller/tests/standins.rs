//! The adapters over real HTTP: the table's own expressions and its index against the emulator, KVS against its stand-in, and
//! errors as they come over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, CreateGlobalSecondaryIndexAction,
    DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType,
    Projection, ProjectionType, ReturnConsumedCapacity, ScalarAttributeType,
};
use controller::channels::Kinesis;
use controller::config::OpenIndex;
use controller::ports::{Channels, Cursor, Lease, OpenRow, PortError, Shared, Workers, Written};
use controller::remedy::Remedy;
use controller::store::WorkersTable;
use controller_core::action::RowWrite;
use controller_core::capacity::Capacity;
use controller_core::model::Policy;
use local_stack::kvs::{self, KvsConfig};
use schemas::ids::{ChannelArn, Generation, SessionId, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{Phase, Restarts};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ACCOUNT: &str = "000000000000";
const SECRET: &str = "local-stack-secret";
const TABLE: &str = "SessionWorkers-test";

async fn config(url: &str) -> aws_config::SdkConfig {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).endpoint_url(url);
    let credentials = Credentials::new(ACCOUNT, SECRET, None, None, "test");
    loader.region(Region::new("us-east-1")).credentials_provider(credentials).load().await
}

/// The emulator alone, and its end.
struct Emulator {
    process: Child,
    url: String,
    scratch: PathBuf,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _gone = self.process.kill().and_then(|()| self.process.wait());
        let _left = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Emulator {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let own = root.join(".local/venv/bin/python");
        let python = match std::env::var_os("LOCAL_STACK_VENV") {
            Some(venv) if !own.exists() => PathBuf::from(venv).join("bin/python"),
            Some(_) | None => own,
        };
        assert!(python.exists(), "{} is missing: run `make setup`, or set LOCAL_STACK_VENV", python.display());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scratch = std::env::temp_dir().join(format!("controller-standins-{port}"));
        std::fs::create_dir_all(&scratch).unwrap();
        let process = Command::new(python)
            .args(["-m", "ministack"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([("HOME", &scratch), ("TMPDIR", &scratch)])
            .envs([("BIND_HOST", "127.0.0.1"), ("MINISTACK_HOST", "127.0.0.1"), ("MINISTACK_REGION", "us-east-1")])
            .envs([("MINISTACK_ACCOUNT_ID", ACCOUNT), ("IOT_MTLS_ENABLED", "0"), ("SFTP_ENABLED", "0")])
            .env("GATEWAY_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "the emulator does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, url: format!("http://127.0.0.1:{port}"), scratch }
    }
}

/// One of the two indexes that infra/lib/constructs/state.ts knows.
fn index(of: OpenIndex) -> GlobalSecondaryIndex {
    let (name, hash, projection) = match of {
        OpenIndex::Old => ("byDue", "open", ProjectionType::All),
        OpenIndex::New => ("byShard", "shard", ProjectionType::KeysOnly),
        OpenIndex::Both => panic!("these are two"),
    };
    let index = GlobalSecondaryIndex::builder().index_name(name);
    let index = index.key_schema(key(hash, KeyType::Hash)).key_schema(key("nextLookAt", KeyType::Range));
    index.projection(Projection::builder().projection_type(projection).build()).build().unwrap()
}

fn attribute(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
}

/// The table as infra/lib/constructs/state.ts has it.
async fn table(client: &aws_sdk_dynamodb::Client, of: OpenIndex) -> WorkersTable {
    let index = index(of);
    let hash = index.key_schema()[0].attribute_name().to_owned();
    let create = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    create
        .attribute_definitions(attribute("sessionId", ScalarAttributeType::S))
        .attribute_definitions(attribute("record", ScalarAttributeType::S))
        .attribute_definitions(attribute(&hash, ScalarAttributeType::S))
        .attribute_definitions(attribute("nextLookAt", ScalarAttributeType::N))
        .key_schema(key("sessionId", KeyType::Hash))
        .key_schema(key("record", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
    WorkersTable::new(client.clone(), TABLE.to_owned(), of)
}

fn id(n: usize) -> SessionId {
    SessionId::try_new(format!("calm-river-{n:03}")).unwrap()
}

/// A row of this phase that is due then.
async fn put(table: &WorkersTable, n: usize, phase: Phase, at: Timestamp) {
    let write = RowWrite {
        generation: Generation(3),
        transition: None,
        intent: None,
        task: None,
        restarts: Restarts::default(),
        next_look_at: Some(at),
        archive: None,
    };
    let write = write.to(phase, Why::new(Cause::NoCapacity, "no room", NOW));
    assert!(matches!(table.write(&id(n), None, &write, NOW).await.unwrap(), Written::Row(_)));
}

#[tokio::test]
async fn the_table_does_over_http_what_its_expressions_say() {
    let emulator = Emulator::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&emulator.url).await);
    let table = table(&client, OpenIndex::New).await;
    a_heartbeat_writes_no_index(&client, &table, "byShard", 0.0).await;
    open_rows_are_known_by_their_keys_and_read_by_the_hundred(&table).await;
    a_launch_is_taken_once_whoever_takes_it(&table).await;
    a_cursor_and_a_count_are_read_as_they_were_written(&table).await;
    an_untold_end_is_marked_tried_again_and_unmarked(&table).await;
    one_process_has_the_lease_of_the_sweep(&table).await;
    let elsewhere = WorkersTable::new(client, "SessionWorkers-elsewhere".to_owned(), OpenIndex::New);
    let missing = elsewhere.read(&id(1)).await.unwrap_err();
    assert!(matches!(missing, PortError::Aws { remedy: Remedy::Create, .. }), "{missing}");
    assert!(missing.needs_somebody() && missing.to_string().contains("deploy it"), "{missing}");
}

async fn open_rows_are_known_by_their_keys_and_read_by_the_hundred(table: &WorkersTable) {
    put(table, 1, Phase::Queued, NOW).await;
    put(table, 2, Phase::Launching, NOW.plus_ms(-5)).await;
    put(table, 3, Phase::Launching, NOW.plus_ms(5)).await;
    put(table, 4, Phase::Stopped, NOW).await;
    let open = |rows: Vec<OpenRow>| {
        let mut ids: Vec<SessionId> = rows.into_iter().map(|row| row.session_id).collect();
        ids.sort();
        ids
    };
    assert_eq!(open(table.open(None).await.unwrap().items), [id(1), id(2), id(3)], "no final row");
    assert_eq!(open(table.queued().await.unwrap()), [id(1)]);
    let many: Vec<SessionId> = (1..=250).map(id).collect();
    let mut rows = table.read_many(&many).await.unwrap();
    rows.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    let phases: Vec<Phase> = rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Queued, Phase::Launching, Phase::Launching, Phase::Stopped], "who has none is left out");
    let read = table.read(&id(1)).await.unwrap().unwrap();
    table.look_again(&read, NOW.plus_ms(60_000)).await.unwrap();
    assert_eq!(table.read(&id(1)).await.unwrap().unwrap().next_look_at, Some(NOW.plus_ms(60_000)));
}

/// The worker's write as worker/src/io/table.rs has it, and what DynamoDB bills for it.
async fn a_heartbeat_writes_no_index(client: &aws_sdk_dynamodb::Client, table: &WorkersTable, index: &str, units: f64) {
    put(table, 9, Phase::Live, NOW.plus_ms(3_600_000)).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let heartbeat = client
        .update_item()
        .table_name(TABLE)
        .key("sessionId", text(id(9).as_str()))
        .key("record", text("current"))
        .update_expression("SET worker = :worker")
        .condition_expression("generation = :generation AND phase = :readPhase")
        .expression_attribute_values(":generation", AttributeValue::N("3".into()))
        .expression_attribute_values(":readPhase", text("Live"))
        .expression_attribute_values(":worker", AttributeValue::M([("version".to_owned(), text("1"))].into()))
        .return_consumed_capacity(ReturnConsumedCapacity::Indexes);
    let billed = heartbeat.send().await.unwrap().consumed_capacity.unwrap();
    let of_index = billed.global_secondary_indexes.unwrap_or_default().remove(index);
    assert_eq!(of_index.and_then(|of| of.capacity_units).unwrap_or(0.0), units, "{index}");
    assert!(billed.table.and_then(|of| of.capacity_units).unwrap_or(0.0) >= 1.0, "it is a write");
    client
        .delete_item()
        .table_name(TABLE)
        .key("sessionId", text(id(9).as_str()))
        .key("record", text("current"))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deployed_stack_goes_from_the_old_index_to_the_new_one_and_no_row_is_ever_out_of_sight() {
    let emulator = Emulator::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&emulator.url).await);
    let old = table(&client, OpenIndex::Old).await;
    a_heartbeat_writes_no_index(&client, &old, "byDue", 1.0).await; // that is the fault: an index of all attributes is written each time
    for n in 0..120 {
        put(&old, n, if n % 3 == 0 { Phase::Queued } else { Phase::Live }, NOW.plus_ms(i64::try_from(n).unwrap()))
            .await;
    }
    old.mark_untold(&id(500), NOW).await.unwrap();
    for n in 0..100 {
        of_an_older_release(&client, &id(n), "current").await;
    }
    of_an_older_release(&client, &id(500), "untold").await;
    let all: Vec<SessionId> = (0..120).map(id).collect();
    assert_eq!(sight(&old).await, all, "openIndex: old");

    let create = CreateGlobalSecondaryIndexAction::builder();
    let new = index(OpenIndex::New);
    let create =
        create.index_name("byShard").set_key_schema(Some(new.key_schema)).set_projection(new.projection).build();
    let update = GlobalSecondaryIndexUpdate::builder().create(create.unwrap()).build();
    let attributes = ["sessionId", "record", "open", "shard"].map(|name| attribute(name, ScalarAttributeType::S));
    let attributes = attributes.into_iter().chain([attribute("nextLookAt", ScalarAttributeType::N)]).collect();
    client
        .update_table()
        .table_name(TABLE)
        .set_attribute_definitions(Some(attributes))
        .global_secondary_index_updates(update)
        .send()
        .await
        .unwrap();
    assert_eq!(sight(&old).await, all, "the index stands, and the controller is the one before");
    let both = WorkersTable::new(client.clone(), TABLE.to_owned(), OpenIndex::Both);
    of_an_older_release(&client, &id(7), "current").await; // as its controller writes one that is new
    let new = WorkersTable::new(client.clone(), TABLE.to_owned(), OpenIndex::New);
    assert_eq!(sight(&new).await.len(), 119, "the new index alone would miss it");
    assert_eq!(sight(&both).await, all, "openIndex: both");
    assert_eq!(both.untold(NOW).await.unwrap(), [(id(500), NOW)]);
    both.try_again_at(&id(500), Some(NOW)).await.unwrap();

    let delete = DeleteGlobalSecondaryIndexAction::builder().index_name("byDue").build().unwrap();
    let update = GlobalSecondaryIndexUpdate::builder().delete(delete).build();
    client.update_table().table_name(TABLE).global_secondary_index_updates(update).send().await.unwrap();
    assert_eq!(sight(&both).await, all, "the old index is gone, and the controller is the one before");
    assert_eq!(sight(&new).await, all, "openIndex: new");
    assert_eq!(new.untold(NOW).await.unwrap(), [(id(500), NOW)]);
}

/// Every open row that a listing finds, by name.
async fn sight(table: &WorkersTable) -> Vec<SessionId> {
    let mut seen: Vec<SessionId> =
        table.open(None).await.unwrap().items.into_iter().map(|row| row.session_id).collect();
    seen.sort();
    seen
}

/// As an older release writes it: without a shard.
async fn of_an_older_release(client: &aws_sdk_dynamodb::Client, id: &SessionId, record: &str) {
    client
        .update_item()
        .table_name(TABLE)
        .key("sessionId", AttributeValue::S(id.to_string()))
        .key("record", AttributeValue::S(record.to_owned()))
        .update_expression("REMOVE #shard")
        .expression_attribute_names("#shard", "shard")
        .send()
        .await
        .unwrap();
}

async fn a_launch_is_taken_once_whoever_takes_it(table: &WorkersTable) {
    let (policy, room) = (Policy { launch_burst: 5, ..Policy::default() }, Capacity::default());
    assert_eq!(table.capacity().await.unwrap().bucket, None, "nobody has launched yet");
    let takes = async || {
        // Two at a time, as two controllers would.
        let (one, two) = tokio::join!(table.take_launch(&room, &policy, NOW), table.take_launch(&room, &policy, NOW));
        usize::from(one.unwrap()) + usize::from(two.unwrap())
    };
    let taken = takes().await + takes().await + takes().await + takes().await;
    assert_eq!(taken, 5, "the burst, and no more");
    let bucket = table.capacity().await.unwrap().bucket.unwrap();
    assert_eq!(bucket.left(&policy, NOW), 0);
    let later = NOW.plus_ms(100);
    assert!(
        table.take_launch(&room, &policy, later).await.unwrap()
            && table.take_launch(&room, &policy, later).await.unwrap()
    );
    assert!(!table.take_launch(&room, &policy, later).await.unwrap(), "two in 100 ms at 20 a second");
    table.no_launch_is_left(&policy, NOW.plus_ms(10_000)).await.unwrap();
    assert!(!table.take_launch(&room, &policy, NOW.plus_ms(10_000)).await.unwrap(), "RunTask was throttled");
    table.no_launch_is_left(&policy, NOW).await.unwrap();
    assert!(table.take_launch(&room, &policy, NOW.plus_ms(20_000)).await.unwrap(), "and it fills again");
    table.no_room_since(Some(NOW)).await.unwrap();
    let known = table.capacity().await.unwrap();
    let (one, two) = tokio::join!(
        table.take_launch(&known, &policy, NOW.plus_ms(30_000)),
        table.take_launch(&known, &policy, NOW.plus_ms(30_000))
    );
    assert!(one.unwrap() ^ two.unwrap(), "one goes to see whether there is room");
    assert_eq!(table.capacity().await.unwrap().no_room_at, Some(NOW.plus_ms(30_000)));
    table.no_room_since(None).await.unwrap();
    assert_eq!(table.capacity().await.unwrap().no_room_at, None);
}

async fn a_cursor_and_a_count_are_read_as_they_were_written(table: &WorkersTable) {
    assert_eq!(table.cursor().await.unwrap(), Cursor::default());
    let cursor = Cursor { looked: Some(id(1)) };
    table.keep_cursor(&cursor).await.unwrap();
    assert_eq!(table.cursor().await.unwrap(), cursor);
    assert_eq!(table.somebody_waits(NOW).await.unwrap(), None);
    table.streams_are_full(NOW).await.unwrap();
    let known = table.capacity().await.unwrap();
    assert_eq!((known.waiting, known.streams_full_at), (Some((1, NOW)), Some(NOW)));
    assert!(known.bucket.is_some(), "beside the bucket, which stays");
    let (one, other) = tokio::join!(table.begin_pass(&known, 5, NOW), table.begin_pass(&known, 5, NOW));
    assert!(one.unwrap() ^ other.unwrap(), "of the passes that know of the same one before them, one begins");
    let known = table.capacity().await.unwrap();
    assert_eq!((known.waiting, known.pass_at), (Some((5, NOW)), Some(NOW)));
    assert_eq!(table.somebody_waits(NOW).await.unwrap(), Some(NOW));
    assert!(table.begin_pass(&known, 0, NOW.plus_ms(1)).await.unwrap());
}

async fn one_process_has_the_lease_of_the_sweep(table: &WorkersTable) {
    let (one, other) = (table.clone().named("one".into()), table.clone().named("other".into()));
    let until = NOW.plus_ms(57_000);
    assert_eq!(one.take_sweep(until, NOW).await.unwrap(), Lease::Ours);
    let held = Lease::HeldBy { held_by: "one".into(), until };
    assert_eq!(other.take_sweep(NOW.plus_ms(99_000), NOW).await.unwrap(), held);
    assert_eq!(other.take_sweep(NOW.plus_ms(99_000), until).await.unwrap(), held, "to its last moment");
    other.give_sweep_back().await.unwrap();
    assert_eq!(other.take_sweep(NOW.plus_ms(99_000), NOW).await.unwrap(), held, "it was not its to give back");
    one.keep_cursor(&Cursor::default()).await.unwrap();
    assert_eq!(one.take_sweep(until, NOW).await.unwrap(), Lease::Ours, "a process does one thing at a time");
    one.give_sweep_back().await.unwrap();
    assert_eq!(other.take_sweep(until, NOW).await.unwrap(), Lease::Ours);
    assert_eq!(one.take_sweep(NOW.plus_ms(99_000), until.plus_ms(1)).await.unwrap(), Lease::Ours, "it ends by itself");
    other.give_sweep_back().await.unwrap();
    assert!(
        matches!(other.take_sweep(until, NOW).await.unwrap(), Lease::HeldBy { .. }),
        "and has gone to another since"
    );
}

async fn an_untold_end_is_marked_tried_again_and_unmarked(table: &WorkersTable) {
    table.mark_untold(&id(4), NOW).await.unwrap();
    table.mark_untold(&id(4), NOW.plus_ms(1_000)).await.unwrap();
    assert_eq!(table.untold(NOW).await.unwrap(), [(id(4), NOW)], "since the first time");
    assert_eq!(table.open(None).await.unwrap().items.len(), 3, "it is no open row");
    table.try_again_at(&id(4), Some(NOW.plus_ms(50_000))).await.unwrap();
    assert_eq!(table.untold(NOW).await.unwrap(), []);
    assert_eq!(table.untold(NOW.plus_ms(50_000)).await.unwrap().len(), 1);
    table.try_again_at(&id(4), None).await.unwrap();
    table.try_again_at(&id(4), None).await.unwrap();
    assert_eq!(table.untold(NOW.plus_ms(99_000)).await.unwrap(), []);
    table.mark_untold(&id(4), NOW.plus_ms(2_000)).await.unwrap();
    assert_eq!(table.untold(NOW.plus_ms(2_000)).await.unwrap(), [(id(4), NOW.plus_ms(2_000))], "a later run's end");
}

#[tokio::test]
async fn a_channel_is_deleted_over_http_and_one_that_is_gone_is_deleted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = kvs::serve(listener, KvsConfig::new("us-east-1", ACCOUNT, ACCOUNT, SECRET)).await.unwrap();
    let client = aws_sdk_kinesisvideo::Client::new(&config(&running.url()).await);
    let made = client.create_signaling_channel().channel_name("session-calm-river-001").send().await.unwrap();
    let arn = ChannelArn::try_new(made.channel_arn().unwrap()).unwrap();
    let channels = Kinesis::new(client.clone());
    channels.delete(&arn).await.unwrap();
    let gone = client.describe_signaling_channel().channel_arn(arn.as_str()).send().await.unwrap_err();
    assert!(gone.as_service_error().unwrap().is_resource_not_found_exception());
    channels.delete(&arn).await.unwrap();
    running.stop().await;
    let down = channels.delete(&arn).await.unwrap_err();
    assert!(matches!(down, PortError::Aws { remedy: Remedy::Again, .. }), "{down}");
}

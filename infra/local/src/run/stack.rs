//! The whole stack: stand-ins, emulator, their side, our template; started in the order in which each needs the other.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use url::Url;

use super::deploy::{self, API_ID, STAGE};
use super::layout::{Layout, Lock, Missing};
use super::logs::Copy;
use super::ports::{Ports, port};
use super::progress::Progress;
use crate::admin;
use crate::ecs::{self, Ecs, EcsConfig, Pace, Program};
use crate::emulator::{self, Emulator, EmulatorConfig};
use crate::gateway;
use crate::guard::Guard;
use crate::kvs::relay::Relay;
use crate::kvs::{self, KvsConfig};
use crate::mapping::{self, Poller};
use crate::network::{Roads, own};
use crate::standin::Running;
use crate::table::{self, Caller};
use crate::transcribe::{self, Recogniser, TranscribeConfig};
use crate::translate::{self, Offer, TranslateConfig};
use crate::web::{self, WebConfig};

/// The account of the local environment (infra/config/local.json); the emulator takes it from the access key id.
pub const ACCOUNT: &str = "000000000000";
/// Its region.
pub const REGION: &str = "us-east-1";
/// A secret that guards nothing; the stand-ins check signatures with it.
pub const SECRET: &str = "local-stack-secret";
/// The worker's image in infra/config/local.json.
const WORKER_IMAGE: &str = "session-worker:local";
/// The session service's table, whose stream wakes the controller.
const SESSIONS: &str = "Sessions-local";
/// Our own table, whose stream wakes it too.
const WORKERS: &str = "SessionWorkers-local";
/// What `sessionctl rehearse` writes on its card beside the figures.
const NOTE: &str = "SESSION_REHEARSAL_NOTE";
/// Seed of what a bad network does by chance.
const CHANCE: u64 = 20;
/// How long tasks get to end when the stack stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the stack shall be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Places.
    pub layout: Layout,
    /// A fixed port for the emulator; else a free one.
    pub port: Option<u16>,
    /// Serve the page on this port; 0 is a free one.
    pub web: Option<u16>,
    /// Serve the listener's page on this address of the network too.
    pub web_bind: Option<IpAddr>,
    /// ECS's ladder: 1.0 is as slow as AWS.
    pub ecs_pace: f64,
    /// What ECS starts in the worker's place; else the worker that was built.
    pub worker: Option<PathBuf>,
    /// What recognises.
    pub recogniser: Recogniser,
    /// A directory of translation models that come before Apertium.
    pub translator_model: Option<PathBuf>,
    /// Where workers bind their media; else what infra/config/local.json says, which is loopback.
    pub ice_bind: Option<Ipv4Addr>,
    /// The relay that KVS hands out.
    pub relay: Option<Relay>,
}

/// Why the stack is not up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tool, a binary or a directory.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The port that was asked for.
    #[error(
        "port {port} is taken: stop what listens on it, or choose another with --port (the emulator) or --web-port (the page) ({cause})"
    )]
    Taken {
        /// Which.
        port: u16,
        /// Why.
        cause: std::io::Error,
    },
    /// The address that the network was to reach.
    #[error(
        "--web-bind {address} cannot be served ({cause}): name one address of this machine that telephones in its network can open; {own}"
    )]
    NoAddress {
        /// Which.
        address: IpAddr,
        /// Why not.
        cause: String,
        /// One that this machine has.
        own: String,
    },
    /// No port at all.
    #[error("no free loopback port: {0}")]
    NoPort(std::io::Error),
    /// The guard process.
    #[error("the guard against left-over processes could not be started: {0}")]
    Guard(std::io::Error),
    /// The emulator.
    #[error(transparent)]
    Emulator(#[from] emulator::Error),
    /// Synthesis, or one of the two templates.
    #[error(transparent)]
    Deploy(#[from] deploy::Error),
    /// The stand-in of ECS.
    #[error(transparent)]
    Ecs(#[from] ecs::Error),
    /// What stands before the posts.
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// The stand-in of KVS.
    #[error(transparent)]
    Kvs(#[from] kvs::Error),
    /// The event source mapping.
    #[error(transparent)]
    Mapping(#[from] mapping::Error),
    /// The stand-in of Transcribe.
    #[error(transparent)]
    Transcribe(#[from] transcribe::Error),
    /// The stand-in of Translate.
    #[error(transparent)]
    Translate(#[from] translate::Error),
}

/// A running stack. Dropping it kills everything; [`Stack::stop`] does it in order.
#[derive(Debug)]
pub struct Stack {
    emulator: Emulator,
    ecs: Ecs,
    mappings: [Poller; 2],
    others: Vec<Running>,
    controller_log: Copy,
    environment: Vec<(String, String)>,
    shared: Option<SocketAddr>,
    // Last, so that they go last.
    guard: Guard,
    _lock: Lock,
}

impl Stack {
    /// Starts everything; says what it does.
    ///
    /// # Errors
    /// The first thing that does not work; everything that was started is stopped again.
    pub async fn start(options: &Options, lock: Lock, progress: &Progress) -> Result<Self, Error> {
        let layout = &options.layout;
        let own = std::env::current_exe().map_err(Error::Guard)?;
        if options.web.is_some() {
            layout.check_page()?;
        }
        let guard = Guard::start(&own).map_err(Error::Guard)?;
        let mut ports = Ports::take(options.port).await?;
        ports.take_page(options.web).await?;
        ports.take_open(options.web_bind).await?;
        let standins = ports.endpoints()?;
        let url = format!("http://127.0.0.1:{}", ports.emulator);
        let mut endpoints = standins.clone();
        endpoints.push(("AWS_ENDPOINT_URL".to_owned(), url.clone()));
        // Workers and functions reach the tables through what can be broken; whoever looks at the stack does not.
        let of = |caller| Ok::<_, Error>(table::endpoint(port(&ports.table)?, caller));
        let through = |caller| Ok::<_, Error>(standins.iter().cloned().chain([of(caller)?]).collect::<Vec<_>>());
        let (functions, workers) = (through(Caller::Function)?, of(Caller::Worker)?);
        let admin = format!("http://127.0.0.1:{}", port(&ports.admin)?);
        let (page, open) = (ports.page.take(), ports.open.take());
        let shared = open.as_ref().map(|open| open.local_addr().map_err(Error::NoPort)).transpose()?;
        let page_url = page.as_ref().map(port).transpose()?.map(|port| format!("http://127.0.0.1:{port}"));
        let mut environment = client_environment(&endpoints, &url, &admin, page_url.as_deref());

        let gateway = format!("http://127.0.0.1:{}", port(&ports.gateway)?);
        let starting = Emulator::start(emulator_config(layout, ports.emulator, functions), &guard);
        let emulator = progress.step("emulator", starting).await?;
        let api = emulator.api();
        endpoints.push(workers);
        let ecs_config = ecs_config(options, &emulator, endpoints, &guard);
        // Synthesis needs none of the others, so it runs beside them.
        let (template, _theirs, stand_ins) = tokio::try_join!(
            progress.step("our CDK app synthesized", async {
                Ok::<_, Error>(deploy::synthesize(layout, &gateway, options.ice_bind).await?)
            }),
            progress.step("session service (tables, WebSocket API)", async {
                Ok(deploy::session_service(layout, &environment).await?)
            }),
            progress.step(
                "stand-ins (ECS, KVS, Transcribe, Translate, posts)",
                stand_ins(options, ports, ecs_config, &url, progress)
            ),
        )?;
        let deploying = deploy::session_workers(layout, &template, &environment);
        progress.step("our template deployed", deploying).await?;
        let StandIns { ecs, mut others, admin, urls, offer, spoken } = stand_ins;
        progress.say(offer.says());
        // Before the last one, which says that the list is complete.
        environment.insert(environment.len() - 1, (NOTE.to_owned(), offer.says()));
        let mappings = [Poller::take_over(&api, SESSIONS).await?, Poller::take_over(&api, WORKERS).await?];
        others.push(admin::serve(admin, &mappings, emulator.functions(), urls).map_err(Error::NoPort)?);
        if let Some(listener) = page {
            let config = web_config(options, &environment, &api, offer, spoken)?;
            others.push(web::serve(listener, open, config).map_err(Error::NoPort)?);
        }
        let controller_log = Copy::start(api, "/session-workers/local/controller", layout.logs.join("controller.log"));
        Ok(Self { emulator, ecs, mappings, others, controller_log, environment, shared, guard, _lock: lock })
    }

    /// What a client of the stack needs in its environment.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Where the page is, if it is served.
    pub fn page(&self) -> Option<&str> {
        value(&self.environment, web::VARIABLE)
    }

    /// Where telephones reach the listener's page, if that is wanted.
    pub fn shared(&self) -> Option<String> {
        self.shared.map(|address| format!("http://{address}{}", web::LISTEN))
    }

    /// Who kills what is left.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Resolves when the emulator ends by itself, which it should not.
    pub async fn broken(&mut self) -> String {
        self.emulator.ended().await
    }

    /// Stops everything: tasks first, then the functions that would start new ones.
    pub async fn stop(self) {
        self.ecs.stop(PATIENCE).await;
        drop(self.mappings);
        self.controller_log.stop().await;
        self.emulator.stop().await;
        for running in self.others {
            running.stop().await;
        }
    }
}

/// The stand-ins that run, and what the admin endpoint needs.
struct StandIns {
    ecs: Ecs,
    others: Vec<Running>,
    admin: TcpListener,
    urls: BTreeMap<&'static str, String>,
    offer: Offer,
    spoken: Vec<String>,
}

async fn stand_ins(
    options: &Options,
    ports: Ports,
    ecs: EcsConfig,
    emulator: &str,
    progress: &Progress,
) -> Result<StandIns, Error> {
    let ecs = ecs::serve(ports.ecs, ecs)?;
    // Media elsewhere than on loopback goes its own way. Who opens the page may have a browser that leaves loopback out.
    let roads = || match options.web {
        Some(_) => Roads::new(CHANCE).also_at(own::address),
        None => Roads::new(CHANCE),
    };
    let roads = options.ice_bind.is_none().then(|| Arc::new(roads()));
    let kvs = KvsConfig { relay: options.relay.clone(), roads, ..KvsConfig::new(REGION, ACCOUNT, ACCOUNT, SECRET) };
    let kvs = kvs::serve(ports.kvs, kvs).await?;
    let transcribe = TranscribeConfig {
        recogniser: options.recogniser.clone(),
        region: REGION.to_owned(),
        access_key_id: ACCOUNT.to_owned(),
        secret_access_key: SECRET.to_owned(),
        limits: transcribe::Limits::default(),
    };
    let models = TranslateConfig {
        models: options.translator_model.clone(),
        python: options.layout.python(),
        ..TranslateConfig::default()
    };
    let ((transcribe, spoken), (translate, offer)) =
        tokio::try_join!(async { listener(ports.transcribe, transcribe, progress).await }, async {
            Ok(translate::serve(ports.translate, models).await?)
        },)?;
    let gateway = gateway::serve(ports.gateway, emulator.to_owned())?;
    let table = table::serve(ports.table, emulator.to_owned()).map_err(Error::NoPort)?;
    let others = [
        ("kvs", &kvs),
        ("transcribe", &transcribe),
        ("translate", &translate),
        ("gateway", &gateway),
        ("table", &table),
    ];
    let mut urls: BTreeMap<_, _> = others.map(|(name, running)| (name, running.url())).into();
    urls.insert("ecs", ecs.url());
    Ok(StandIns {
        ecs,
        others: vec![kvs, transcribe, translate, gateway, table],
        admin: ports.admin,
        urls,
        offer,
        spoken,
    })
}

/// Starts the recogniser and says who listens; what it understands.
async fn listener(
    port: TcpListener,
    config: TranscribeConfig,
    progress: &Progress,
) -> Result<(Running, Vec<String>), Error> {
    let ready = transcribe::Ready::start(&config.recogniser).await?;
    let name = ready.name();
    match ready.is_fallback(&config.recogniser) {
        true => progress.say(format!(
            "listening: {name}, which understands people badly, because Whisper is not installed: run `make setup`"
        )),
        false => progress.say(format!("listening: {name}")),
    }
    let spoken = ready.spoken();
    Ok((transcribe::serve_with(port, ready, config)?, spoken))
}

fn emulator_config(layout: &Layout, port: u16, function_environment: Vec<(String, String)>) -> EmulatorConfig {
    EmulatorConfig {
        python: layout.python(),
        port,
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        secret_access_key: SECRET.to_owned(),
        log: layout.logs.join("emulator.log"),
        scratch: layout.scratch.join("emulator"),
        function_environment,
    }
}

fn ecs_config(options: &Options, emulator: &Emulator, endpoints: Vec<(String, String)>, guard: &Guard) -> EcsConfig {
    let path = options.worker.clone().unwrap_or_else(|| options.layout.binary("worker"));
    let worker = Program { path, arguments: Vec::new() };
    EcsConfig {
        api: emulator.api(),
        functions: emulator.functions(),
        images: [(WORKER_IMAGE.to_owned(), worker)].into(),
        endpoints,
        access_key_id: ACCOUNT.to_owned(),
        secret_access_key: SECRET.to_owned(),
        pace: Pace::default().scaled(options.ecs_pace),
        logs: options.layout.logs.clone(),
        guard: guard.clone(),
    }
}

/// The value of a variable.
fn value<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn web_config(
    options: &Options,
    environment: &[(String, String)],
    api: &emulator::Api,
    offer: Offer,
    spoken: Vec<String>,
) -> Result<WebConfig, Error> {
    let layout = &options.layout;
    let of = |name| value(environment, name).unwrap_or_default().to_owned();
    let socket = Url::parse(&of("SESSION_WEBSOCKET_URL")).map_err(|bad| Error::NoPort(std::io::Error::other(bad)))?;
    Ok(WebConfig {
        page: layout.local("web/dist"),
        samples: layout.root.join("samples"),
        sessionctl: layout.binary("sessionctl"),
        environment: environment.to_vec(),
        api: api.clone(),
        kvs: of("AWS_ENDPOINT_URL_KINESIS_VIDEO"),
        secret_access_key: SECRET.to_owned(),
        socket,
        admin: of(admin::VARIABLE),
        offer,
        spoken,
        ice_bind: options.ice_bind,
    })
}

fn client_environment(
    endpoints: &[(String, String)],
    emulator: &str,
    admin: &str,
    page: Option<&str>,
) -> Vec<(String, String)> {
    let socket = format!("{}/_aws/execute-api/{API_ID}/{STAGE}", emulator.replacen("http", "ws", 1));
    let own = [
        ("AWS_ACCESS_KEY_ID", ACCOUNT),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        // Whatever the user has set up for real accounts stays out.
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("SESSION_ENV", "local"),
        ("SESSION_WEBSOCKET_URL", socket.as_str()),
        (web::VARIABLE, page.unwrap_or_default()),
        // Last: whoever reads what `up` prints then knows that it is complete.
        (admin::VARIABLE, admin),
    ];
    let own = own.into_iter().filter(|(name, value)| *name != web::VARIABLE || !value.is_empty());
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    endpoints.iter().cloned().chain(own).collect()
}

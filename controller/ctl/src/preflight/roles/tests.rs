use super::*;
use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROLE: &str = "arn:aws:iam::111122223333:role/SessionWorkers-dev-WorkersTaskRole1417FFE8-AbCdEf";

fn named(more: &[(&'static str, &str)]) -> Names {
    let all = [
        ("account", "111122223333"),
        ("region", "us-east-1"),
        ("env", "dev"),
        ("taskRole", ROLE),
        ("executionRole", "e"),
    ];
    all.into_iter().chain(more.iter().copied()).map(|(name, value)| (name, value.to_owned())).collect()
}

fn complete() -> Names {
    let ours = [("controllerRole", "c"), ("sessionsStream", "s"), ("rowsStream", "r"), ("undeliveredQueue", "q")];
    named(&[&[("api", "abc"), ("stage", "prod")][..], &ours[..]].concat())
}

fn list() -> Rights {
    serde_json::from_str(RIGHTS).unwrap()
}

/// IAM's answer to one simulation: `(action, decision)`.
fn answer(resource: &str, decisions: &[(String, &str)]) -> String {
    let member = |(action, decision): &(String, &str)| {
        format!(
            "<member><MatchedStatements/><MissingContextValues/><EvalResourceName>{resource}</EvalResourceName>\
             <EvalDecision>{decision}</EvalDecision><EvalActionName>{action}</EvalActionName></member>"
        )
    };
    format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><SimulatePrincipalPolicyResult>\
         <IsTruncated>false</IsTruncated><EvaluationResults>{}</EvaluationResults></SimulatePrincipalPolicyResult>\
         <ResponseMetadata><RequestId>1cdb5b0a-4c15-11e5-b121-bd8c7EXAMPLE</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>",
        decisions.iter().map(member).collect::<String>()
    )
}

const DENIAL: &str = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
    <Message>User: arn:aws:iam::111122223333:user/alice is not authorized to perform: iam:SimulatePrincipalPolicy</Message></Error>\
    <RequestId>1cdb5b0a-4c15-11e5-b121-bd8c7EXAMPLE</RequestId></ErrorResponse>";

/// The form that one request carries.
async fn form(socket: &mut TcpStream) -> Option<BTreeMap<String, String>> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                return Some(url::form_urlencoded::parse(body.as_bytes()).into_owned().collect());
            }
        }
        match socket.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// A stand-in of IAM that decides by this; every request on a connection of its own.
async fn iam(decide: fn(&BTreeMap<String, String>) -> Result<String, String>) -> aws_sdk_iam::Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let Some(form) = form(&mut socket).await else { continue };
            let (status, body) = decide(&form).map_or_else(|body| ("403 Forbidden", body), |body| ("200 OK", body));
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("a", "b", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url);
    aws_sdk_iam::Client::from_conf(config.build())
}

fn place() -> Place {
    Place { env: "dev".into(), region: "us-east-1".into() }
}

fn actions(form: &BTreeMap<String, String>) -> Vec<String> {
    form.iter().filter(|(key, _)| key.starts_with("ActionNames.member.")).map(|(_, value)| value.clone()).collect()
}

/// Everything, but no call of Translate.
fn without_translate(form: &BTreeMap<String, String>) -> Result<String, String> {
    assert_eq!((form["Action"].as_str(), form["PolicySourceArn"].as_str()), ("SimulatePrincipalPolicy", ROLE));
    let decided = |action: String| {
        let decision = if action == "translate:TranslateText" { "implicitDeny" } else { "allowed" };
        (action, decision)
    };
    Ok(answer(&form["ResourceArns.member.1"], &actions(form).into_iter().map(decided).collect::<Vec<_>>()))
}

#[tokio::test]
async fn a_right_that_the_deployed_role_lost_is_named_with_the_line_that_gives_it_back() {
    let (asked, unnamed) = questions(&list().worker, &complete());
    let denied = ask(&iam(without_translate).await, &place(), ROLE, &asked).await.unwrap();
    let found = judged("worker's role", ROLE, &asked, &denied, &unnamed, "npm --prefix infra run deploy -- -c env=dev");
    assert_eq!(found.verdict, Verdict::Missing);
    assert!(found.said.ends_with("may not translate:TranslateText on *"), "{found:?}");
    assert_eq!(found.command.as_deref(), Some("npm --prefix infra run deploy -- -c env=dev"));
}

#[tokio::test]
async fn conditions_are_simulated_with_the_values_that_the_call_has() {
    fn only_on_our_cluster(form: &BTreeMap<String, String>) -> Result<String, String> {
        let value = form
            .iter()
            .find(|(key, _)| key.starts_with("ContextEntries.member.1.ContextKeyValues"))
            .map(|(_, value)| value.as_str());
        let ours = Some("arn:aws:ecs:us-east-1:111122223333:cluster/session-workers-dev");
        let decision = |action: &str| action.starts_with("ecs:") && action != "ecs:TagResource" && value != ours;
        let decided = |action: String| (action.clone(), if decision(&action) { "implicitDeny" } else { "allowed" });
        Ok(answer("x", &actions(form).into_iter().map(decided).collect::<Vec<_>>()))
    }
    let (asked, _) = questions(&list().controller, &complete());
    assert!(asked.iter().any(|question| question.actions == ["iam:PassRole"]), "{asked:?}");
    assert_eq!(ask(&iam(only_on_our_cluster).await, &place(), ROLE, &asked).await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_the_organisation_denies_is_not_sent_to_a_deployment() {
    fn denied(form: &BTreeMap<String, String>) -> Result<String, String> {
        let decision = |action: &str| {
            if action == "transcribe:StartStreamTranscription" { "explicitDeny" } else { "implicitDeny" }
        };
        Ok(answer(
            "*",
            &actions(form).into_iter().map(|action| (action.clone(), decision(&action))).collect::<Vec<_>>(),
        ))
    }
    let (asked, unnamed) = questions(&list().worker, &complete());
    let denied = ask(&iam(denied).await, &place(), ROLE, &asked).await.unwrap();
    let found = judged("worker's role", ROLE, &asked, &denied, &unnamed, "deploy");
    assert!(found.said.contains(" more") && found.said.contains("is denied by a policy"), "{found:?}");
    let command = found.command.unwrap();
    assert!(command.starts_with("aws iam simulate-principal-policy"), "{command}");
    assert!(command.ends_with("--action-names transcribe:StartStreamTranscription --resource-arns '*'"), "{command}");
}

#[tokio::test]
async fn who_may_not_simulate_is_told_so_and_nothing_is_called_fine() {
    let (asked, _) = questions(&list().worker, &complete());
    let said = ask(&iam(|_| Err(DENIAL.to_owned())).await, &place(), ROLE, &asked).await.unwrap_err();
    assert!(said.contains("iam:SimulatePrincipalPolicy"), "{said}");
}

#[test]
fn what_nobody_can_name_is_not_called_fine() {
    let (asked, unnamed) = questions(&list().worker, &named(&[]));
    assert_eq!(unnamed, ["execute-api:ManageConnections"]);
    let found = judged("worker's role", ROLE, &asked, &[], &unnamed, "deploy");
    assert_eq!(found.verdict, Verdict::Unknown);
    assert!(found.said.contains("not looked at, because") && found.said.contains("ManageConnections"), "{found:?}");
    assert!(found.command.unwrap().contains("--action-names execute-api:ManageConnections "));
}

#[test]
fn every_name_of_the_list_is_filled() {
    for rights in [list().worker, list().controller] {
        let (asked, unnamed) = questions(&rights, &complete());
        assert!(unnamed.is_empty() && asked.len() > 5, "{unnamed:?}");
        assert!(asked.iter().all(|question| !question.object.resource.contains('{')), "{asked:?}");
    }
}

#[test]
fn the_api_is_told_by_its_own_name_only() {
    let of = |endpoint| api_and_stage(endpoint);
    assert_eq!(of("https://abc123.execute-api.us-east-1.amazonaws.com/prod"), Some(("abc123".into(), "prod".into())));
    assert_eq!(of("https://listen.example.org/prod"), None);
}

#[tokio::test]
async fn a_task_definition_without_roles_is_a_gap() {
    let aws = crate::aws::connect("dev", Some("us-east-1")).await;
    let [found] = &read(&aws, &TaskDefinition::builder().build()).await[..] else { unreachable!() };
    assert_eq!(
        (found.verdict, found.command.as_deref()),
        (Verdict::Missing, Some("npm --prefix infra run deploy -- -c env=dev"))
    );
}

//! Everything that the controller's binary talks to, on loopback: the Lambda runtime API and the AWS services in one server, which answers at once.
#![allow(dead_code, reason = "each measurement uses its part")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A call: the path, the operation, the input.
pub type Answer = Arc<dyn Fn(&str, &str, &Value) -> String + Send + Sync>;
/// What is told after an answer is out: the path.
pub type After = Arc<dyn Fn(&str) + Send + Sync>;

/// Starts the controller with a stand-in of its own: what an earlier process still does is not seen here.
pub fn start(program: &str, answer: Answer, after: After) -> Child {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = &listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || serve(&listener, &answer, &after));
    let url = format!("http://{address}");
    Command::new(program)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "us-east-1"),
        ])
        .envs([("AWS_ACCESS_KEY_ID", "local"), ("AWS_SECRET_ACCESS_KEY", "local"), ("AWS_LAMBDA_FUNCTION_NAME", "c")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"), ("AWS_LAMBDA_FUNCTION_VERSION", "1"), ("EVENT_BUS", "bus")])
        .envs([("AWS_LAMBDA_LOG_STREAM_NAME", "s"), ("AWS_LAMBDA_LOG_GROUP_NAME", "g"), ("SUBNETS", "subnet-a")])
        .envs([("SESSIONS_TABLE", "Sessions-x"), ("WORKERS_TABLE", "SessionWorkers-x"), ("CLUSTER", "workers")])
        .envs([("TASK_DEFINITION", "worker:1"), ("CONTAINER", "worker"), ("SECURITY_GROUPS", "sg-a")])
        .envs([("ASSIGN_PUBLIC_IP", "ENABLED"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .stdout(Stdio::null())
        .spawn()
        .expect("the controller starts")
}

fn serve(listener: &TcpListener, answer: &Answer, after: &After) {
    for stream in listener.incoming().flatten() {
        let (answer, after) = (Arc::clone(answer), Arc::clone(after));
        std::thread::spawn(move || drop(converse(stream, &answer, &after)));
    }
}

/// One connection, kept alive.
fn converse(stream: TcpStream, answer: &Answer, after: &After) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let (mut line, mut target, mut length) = (String::new(), String::new(), 0);
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.is_empty() {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "x-amz-target" => target = value.trim().rsplit('.').next().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = answer(&path, &target, &serde_json::from_slice(&body).unwrap_or_default());
        let deadline = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 99999999999999\r\nlambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:c\r\n";
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{deadline}content-length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all(format!("{head}{answer}").as_bytes())?;
        after(&path);
    }
}

/// JSON as DynamoDB writes it.
pub fn typed(value: &Value) -> Value {
    use serde_json::json;
    match value {
        Value::Null => json!({ "NULL": true }),
        Value::Bool(is) => json!({ "BOOL": is }),
        Value::Number(n) => json!({ "N": n.to_string() }),
        Value::String(text) => json!({ "S": text }),
        Value::Array(items) => json!({ "L": items.iter().map(typed).collect::<Vec<_>>() }),
        Value::Object(_) => json!({ "M": item(value) }),
    }
}

/// An object as an item of a table.
pub fn item(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), typed(value))).collect())
}

//! RunTask's input, read and checked as ECS does.

use serde_json::{Value, json};

use super::model::{Definition, pairs, texts};

/// An error as the API answers it, with HTTP 400.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The exception.
    pub code: &'static str,
    /// Its text.
    pub message: String,
    /// `resourceIds` of a ConflictException.
    pub resource_ids: Vec<String>,
}

impl Refusal {
    /// An exception with a text.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), resource_ids: Vec::new() }
    }

    /// What goes over the wire.
    pub fn body(&self) -> Value {
        let mut body = json!({"__type": self.code, "message": self.message});
        if !self.resource_ids.is_empty() {
            body["resourceIds"] = json!(self.resource_ids);
        }
        body
    }
}

/// A checked RunTask.
#[derive(Debug, Clone, PartialEq)]
pub struct RunTask {
    /// Cluster, as given: name or ARN.
    pub cluster: String,
    /// Task definition, as given.
    pub task_definition: String,
    /// How many, 1 to 10.
    pub count: u64,
    /// `clientToken`.
    pub token: Option<String>,
    /// `startedBy`.
    pub started_by: Option<String>,
    /// `group`.
    pub group: Option<String>,
    /// `tags`.
    pub tags: Value,
    /// `overrides`.
    pub overrides: Value,
    /// The first subnet.
    pub subnet: String,
    /// Everything but the token: what must be equal for the same token.
    pub parameters: Value,
}

impl RunTask {
    /// Reads and checks the input.
    ///
    /// # Errors
    /// As ECS refuses it.
    pub fn parse(input: &Value) -> Result<Self, Refusal> {
        let invalid = |message: &str| Refusal::new("InvalidParameterException", message);
        let text = |key: &str| input[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let count = input.get("count").map_or(Some(1), Value::as_u64);
        let count = count.filter(|n| (1..=10).contains(n)).ok_or(invalid("Count must be between 1 and 10."))?;
        let token = text("clientToken");
        if token.as_ref().is_some_and(|t| t.len() > 64 || !t.bytes().all(|b| (33..=126).contains(&b))) {
            return Err(invalid("clientToken must be up to 64 characters of ASCII 33 to 126."));
        }
        let started_by = text("startedBy");
        if started_by.as_ref().is_some_and(|t| t.len() > 128 || !t.chars().all(is_started_by)) {
            return Err(invalid("startedBy must be up to 128 of letters, digits, hyphens, slashes and underscores."));
        }
        if input["launchType"].is_string() && input["capacityProviderStrategy"].is_array() {
            return Err(invalid("launchType and capacityProviderStrategy exclude each other."));
        }
        let overrides = input.get("overrides").cloned().unwrap_or_else(|| json!({}));
        if overrides.to_string().len() > 8192 {
            return Err(invalid("overrides are longer than 8192 characters."));
        }
        let subnets = texts(&input["networkConfiguration"]["awsvpcConfiguration"]["subnets"]);
        let subnet = subnets.into_iter().next();
        let mut parameters = input.clone();
        if let Value::Object(fields) = &mut parameters {
            fields.remove("clientToken");
        }
        Ok(Self {
            cluster: text("cluster").unwrap_or_else(|| "default".to_owned()),
            task_definition: text("taskDefinition").ok_or(invalid("TaskDefinition can not be blank."))?,
            count,
            token,
            started_by,
            group: text("group"),
            tags: input.get("tags").cloned().unwrap_or_else(|| json!([])),
            overrides,
            subnet: subnet
                .ok_or(invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."))?,
            parameters,
        })
    }

    /// Overrides may only name containers that the definition has.
    ///
    /// # Errors
    /// When one names another.
    pub fn check_overrides(&self, definition: &Definition) -> Result<(), Refusal> {
        let named = self.overrides["containerOverrides"].as_array().into_iter().flatten();
        for name in named.filter_map(|o| o["name"].as_str()) {
            if name != definition.container {
                let message = format!("Override for container named {name} is not a container in the TaskDefinition.");
                return Err(Refusal::new("InvalidParameterException", message));
            }
        }
        Ok(())
    }
}

fn is_started_by(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_')
}

/// The container's environment and command after the overrides; later names replace earlier ones.
pub fn overridden(definition: &Definition, overrides: &Value) -> (Vec<(String, String)>, Vec<String>) {
    let mut environment = definition.environment.clone();
    let mut command = definition.command.clone();
    for given in overrides["containerOverrides"].as_array().into_iter().flatten() {
        for (name, value) in pairs(&given["environment"]) {
            environment.retain(|(n, _)| *n != name);
            environment.push((name, value));
        }
        let replaced = texts(&given["command"]);
        if !replaced.is_empty() {
            command = replaced;
        }
    }
    (environment, command)
}

//! The operators' handbook says something about everything that can happen.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use clap::CommandFactory;
use sessionctl::cli::Cli;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn handbook() -> String {
    std::fs::read_to_string(root().join("docs/operating.md")).unwrap()
}

/// The variants of an enum in the row's published schema, as the row spells them.
fn variants(of: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("schemas/json/worker-row.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found: Vec<String> = schema["$defs"][of]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["const"].as_str().unwrap().to_owned())
        .collect();
    assert!(found.len() > 5, "{of}: {found:?}");
    found
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

#[test]
fn every_cause_has_its_line_in_the_runbook() {
    let handbook = handbook();
    let missing: Vec<_> = variants("Cause")
        .iter()
        .map(|c| capitalised(c))
        .filter(|c| !handbook.contains(&format!("\n| `{c}` | ")))
        .collect();
    assert!(missing.is_empty(), "docs/operating.md has no runbook line for {missing:?}");
}

#[test]
fn every_phase_is_explained() {
    let handbook = handbook();
    let missing: Vec<_> =
        variants("Phase").into_iter().filter(|p| !handbook.contains(&format!("\n| {p} | "))).collect();
    assert!(missing.is_empty(), "docs/operating.md does not explain {missing:?}");
}

#[test]
fn every_verb_is_shown() {
    let handbook = handbook();
    for verb in Cli::command().get_subcommands() {
        let name = verb.get_name();
        assert!(handbook.contains(&format!("`{name}")) || handbook.contains(&format!("sessionctl {name}")), "{name}");
    }
}

#[test]
fn every_column_is_explained() {
    let handbook = handbook();
    for column in
        ["SESSION", "PHASE, SINCE", "GEN", "TASK", "AUDIO/TEXT/TRANSL/SENT", "LISTENERS", "LAG P50/95", "RST", "COST"]
    {
        assert!(handbook.contains(&format!("\n| {column} | ")), "{column}");
    }
}

#[test]
fn every_metric_is_explained() {
    let text = std::fs::read_to_string(root().join("schemas/json/metrics.json")).unwrap();
    let published: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names = ["controller", "worker"].into_iter().flat_map(|of| published[of].as_array().unwrap());
    let names: Vec<&str> = names.map(|metric| metric["name"].as_str().unwrap()).collect();
    assert!(names.len() > 20, "{names:?}");
    let handbook = handbook();
    let tables: Vec<&str> = handbook.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let missing: Vec<_> =
        names.iter().filter(|name| !tables.iter().any(|cell| cell.contains(&format!("`{name}`")))).collect();
    assert!(missing.is_empty(), "docs/operating.md does not explain the metrics {missing:?}");
}

/// Every source under these folders, tests included, in one text.
fn sources(folders: &[&str]) -> String {
    let mut text = String::new();
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && !["node_modules", "target", "cdk.out"].contains(&name.as_str()) {
                left.push(entry);
            } else if name.ends_with(".rs") || name.ends_with(".ts") {
                text.push_str(&std::fs::read_to_string(&entry).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let names: Vec<&str> = text.split('`').filter(|word| word.matches('_').count() >= 3).collect();
    assert!(names.len() > 25, "{names:?}");
    let sources = sources(&["controller", "worker/core", "tests", "infra/test"]);
    let there = |name: &str| sources.contains(&format!("fn {name}(")) || sources.contains(&format!("test('{name}'"));
    let missing: Vec<_> = names.into_iter().filter(|name| !there(name)).collect();
    assert!(missing.is_empty(), "docs/architecture.md names tests that are not there: {missing:?}");
}

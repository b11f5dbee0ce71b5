//! From the text of a script to its commands.

use crate::promql::script::Result;
use crate::promql::script::series::{SeriesLine, number, parse_line, parse_starts, split_labels};
use crate::text::{duration, quote};

/// A command and the line that it begins at.
pub(super) struct Command {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Series to keep, with a sample every `gap` milliseconds from 0 on.
pub(super) struct Load {
    pub(super) gap: i64,
    /// Whether classic histograms are kept as native ones with listed borders too.
    pub(super) with_native: bool,
    pub(super) series: Vec<LoadLine>,
}

pub(super) struct LoadLine {
    pub(super) series: SeriesLine,
    /// Offsets of start timestamps, as many as values.
    pub(super) starts: Vec<Option<i64>>,
}

/// A query and what must come out.
pub(super) struct Eval {
    pub(super) query: String,
    pub(super) times: Times,
    pub(super) expected: Vec<SeriesLine>,
    pub(super) scalar: Option<f64>,
    pub(super) text: Option<String>,
    /// From, to and step of the samples that a range must have.
    pub(super) range: Option<(i64, i64, i64)>,
    pub(super) ordered: bool,
    pub(super) fails: bool,
    pub(super) rules: Vec<Rule>,
}

pub(super) enum Times {
    Instant(i64),
    Range(i64, i64, i64),
}

/// A rule about errors, warnings or infos.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) about: About,
    pub(super) says: Says,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Fail,
    Warn,
    Info,
    NoWarn,
    NoInfo,
}

#[derive(Clone, Debug)]
pub(super) enum Says {
    Anything,
    Text(String),
    Pattern(String),
}

/// The commands of a script; an error names its line.
pub(super) fn parse(text: &str) -> std::result::Result<Vec<Command>, (usize, String)> {
    let lines: Vec<&str> = text.lines().map(trimmed).collect();
    let (mut commands, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let line = at + 1;
        let first = lines[at];
        at += 1;
        if first.is_empty() {
            continue;
        }
        let mut block = Vec::new();
        while lines.get(at).is_some_and(|line| !line.is_empty()) {
            // A command in the middle of a block begins the next one.
            if is_command(lines[at]) {
                break;
            }
            block.push((at + 1, lines[at]));
            at += 1;
        }
        let kind = command(first, &block, line)?;
        commands.push(Command { line, kind });
    }
    Ok(commands)
}

fn trimmed(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

fn is_command(line: &str) -> bool {
    let word = line
        .split_whitespace()
        .next()
        .unwrap_or("")
        .to_ascii_lowercase();
    word == "clear"
        || word == "load"
        || word == "load_with_nhcb"
        || word.starts_with("eval")
            && line
                .split_whitespace()
                .nth(1)
                .is_some_and(|next| matches!(next, "instant" | "range"))
}

fn command(
    first: &str,
    block: &[(usize, &str)],
    line: usize,
) -> std::result::Result<Kind, (usize, String)> {
    let at = |line: usize| move |message: String| (line, message);
    let word = first
        .split_whitespace()
        .next()
        .unwrap_or("")
        .to_ascii_lowercase();
    match word.as_str() {
        "clear" => Ok(Kind::Clear),
        "load" | "load_with_nhcb" => {
            let gap = first[word.len()..].trim();
            let gap = duration::parse(gap).map_err(at(line))?;
            let with_native = word != "load";
            let mut load = Load {
                gap,
                with_native,
                series: Vec::new(),
            };
            let mut starts: Option<Vec<Option<i64>>> = None;
            for (line, text) in block {
                if is_starts(text) {
                    let (_, rest) = split_labels(text).map_err(at(*line))?;
                    let rest = rest.trim_start().trim_start_matches("@st");
                    starts = Some(parse_starts(rest).map_err(at(*line))?);
                    continue;
                }
                let series = parse_line(text).map_err(at(*line))?;
                let starts = starts.take().unwrap_or_default();
                if !starts.is_empty() && starts.len() != series.items.len() {
                    let message = "start timestamps must be as many as values";
                    return Err((*line, message.to_owned()));
                }
                load.series.push(LoadLine { series, starts });
            }
            Ok(Kind::Load(load))
        }
        _ if word.starts_with("eval") => {
            let mut eval = eval(first).map_err(at(line))?;
            for (line, text) in block {
                expectation(&mut eval, text).map_err(at(*line))?;
            }
            Ok(Kind::Eval(Box::new(eval)))
        }
        _ => Err((line, format!("unknown command {word:?}"))),
    }
}

fn is_starts(line: &str) -> bool {
    split_labels(line).is_ok_and(|(_, rest)| rest.starts_with("@st"))
}

/// The head of an evaluation: `eval instant at 5m query`, `eval range from 0 to 5m step 1m query`.
fn eval(line: &str) -> Result<Eval> {
    let mut words = line.split_whitespace();
    let verb = words.next().unwrap_or("").to_ascii_lowercase();
    let mut rest = line[verb.len()..].trim_start();
    let mut next = |expected: Option<&str>| -> Result<String> {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if expected.is_some_and(|expected| expected != word) {
            return Err(format!("expected {expected:?}, found {word:?}"));
        }
        rest = behind.trim_start();
        Ok(word.to_owned())
    };
    let times = match next(None)?.as_str() {
        "instant" => {
            next(Some("at"))?;
            Times::Instant(duration::parse(&next(None)?)?)
        }
        "range" => {
            next(Some("from"))?;
            let from = duration::parse(&next(None)?)?;
            next(Some("to"))?;
            let to = duration::parse(&next(None)?)?;
            next(Some("step"))?;
            Times::Range(from, to, duration::parse(&next(None)?)?)
        }
        other => return Err(format!("expected instant or range, found {other:?}")),
    };
    let mut eval = Eval {
        query: rest.to_owned(),
        times,
        expected: Vec::new(),
        scalar: None,
        text: None,
        range: None,
        ordered: false,
        fails: false,
        rules: Vec::new(),
    };
    let about = match verb.as_str() {
        "eval" => return Ok(eval),
        "eval_ordered" => {
            eval.ordered = true;
            return Ok(eval);
        }
        "eval_fail" => {
            eval.fails = true;
            return Ok(eval);
        }
        "eval_warn" => About::Warn,
        "eval_info" => About::Info,
        other => return Err(format!("unknown command {other:?}")),
    };
    eval.rules.push(Rule {
        about,
        says: Says::Anything,
    });
    Ok(eval)
}

/// A line below the head of an evaluation.
fn expectation(eval: &mut Eval, line: &str) -> Result<()> {
    if let Some(text) = line.strip_prefix("expected_fail_message") {
        return add_rule(eval, About::Fail, Says::Text(text.trim().to_owned()));
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        return add_rule(eval, About::Fail, Says::Pattern(pattern.trim().to_owned()));
    }
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect(eval, rest.trim());
    }
    if let Ok(value) = number_line(line) {
        eval.scalar = Some(value);
        return Ok(());
    }
    eval.expected.push(parse_line(line)?);
    Ok(())
}

/// A line that is a number alone; here hexadecimal ones are read too.
fn number_line(line: &str) -> Result<f64> {
    if line.contains(char::is_whitespace) {
        return Err(String::new());
    }
    let (sign, digits) = match line.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, line.strip_prefix('+').unwrap_or(line)),
    };
    number(line).or_else(|_| crate::text::number::parse(digits).map(|value| sign * value))
}

fn expect(eval: &mut Eval, rest: &str) -> Result<()> {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, rest) = (&rest[..end], rest[end..].trim());
    match word {
        "ordered" => {
            eval.ordered = true;
            return Ok(());
        }
        "string" => {
            let text = String::from_utf8_lossy(&quote::unquote(rest)).into_owned();
            eval.text = Some(text);
            return Ok(());
        }
        "range" => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let ["vector", "from", from, "to", to, "step", step] = words[..] else {
                return Err(format!("expected a range vector's times, found {rest:?}"));
            };
            let step = duration::parse(step)?;
            eval.range = Some((duration::parse(from)?, duration::parse(to)?, step));
            return Ok(());
        }
        _ => {}
    }
    let says = if let Some(text) = rest.strip_prefix("msg:") {
        Says::Text(text.trim().to_owned())
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        Says::Pattern(pattern.trim().to_owned())
    } else if rest.is_empty() {
        Says::Anything
    } else {
        return Err(format!("expected msg: or regex:, found {rest:?}"));
    };
    let about = match word {
        "fail" => About::Fail,
        "warn" => About::Warn,
        "info" => About::Info,
        "no_warn" => About::NoWarn,
        "no_info" => About::NoInfo,
        _ => return Err(format!("unknown expectation {word:?}")),
    };
    add_rule(eval, about, says)
}

fn add_rule(eval: &mut Eval, about: About, says: Says) -> Result<()> {
    let has = |other: About| eval.rules.iter().any(|rule| rule.about == other);
    let clashes = match about {
        About::Fail => has(About::Fail),
        About::Warn => has(About::NoWarn),
        About::NoWarn => has(About::Warn),
        About::Info => has(About::NoInfo),
        About::NoInfo => has(About::Info),
    };
    if clashes {
        return Err("expectations exclude each other".to_owned());
    }
    eval.fails |= about == About::Fail;
    eval.rules.push(Rule { about, says });
    Ok(())
}

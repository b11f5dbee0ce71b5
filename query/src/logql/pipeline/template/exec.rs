//! [`Exec`]: one rendering of a template.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions::{self, Regexes};
use super::tree::{Base, Branch, Command, Node, Operand, Pipe, Place};
use super::value::Value;
use super::{Context, STEPS_MAX, TEXT_BYTES_MAX};
use crate::text::quote::quote;

/// One rendering of a template.
pub(super) struct Exec<'e, 'c, 'l> {
    name: &'static str,
    pub(super) context: &'e Context<'c, 'l>,
    pub(super) regexes: &'e mut Regexes,
    /// The dot; the labels if absent.
    dot: Option<Value>,
    variables: Vec<(String, Value)>,
    /// All labels, once they have been asked for.
    labels: Option<Arc<BTreeMap<String, Value>>>,
    steps: usize,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

type Result<T> = std::result::Result<T, String>;

impl<'e, 'c, 'l> Exec<'e, 'c, 'l> {
    pub(super) fn new(
        name: &'static str,
        context: &'e Context<'c, 'l>,
        regexes: &'e mut Regexes,
    ) -> Exec<'e, 'c, 'l> {
        Exec {
            name,
            context,
            regexes,
            dot: None,
            variables: Vec::new(),
            labels: None,
            steps: 0,
        }
    }

    /// Renders nodes into `out`.
    pub(super) fn run(&mut self, nodes: &[Node], out: &mut Vec<u8>) -> Result<()> {
        self.list(nodes, out).map(|_| ())
    }

    fn list(&mut self, nodes: &[Node], out: &mut Vec<u8>) -> Result<Flow> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(text) => {
                    out.extend_from_slice(text);
                    Flow::On
                }
                Node::Action(pipe) => {
                    self.action(pipe, out)?;
                    Flow::On
                }
                Node::If(branch) => self.choose(branch, Dot::Stays, out)?,
                Node::With(branch) => self.choose(branch, Dot::IsValue, out)?,
                Node::Range(branch) => self.range(branch, out)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if out.len() > TEXT_BYTES_MAX {
                return Err(self.fail("the result is too long"));
            }
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        match self.steps > STEPS_MAX {
            true => Err(self.fail("the template takes too many steps")),
            false => Ok(()),
        }
    }

    fn fail(&self, what: &str) -> String {
        format!("template: {}: {what}", self.name)
    }

    fn fail_at(&self, place: &Place, what: &str) -> String {
        let Place { line, column, text } = place;
        let name = self.name;
        format!(
            "template: {name}:{line}:{column}: executing {} at <{text}>: {what}",
            quote(name)
        )
    }

    fn action(&mut self, pipe: &Pipe, out: &mut Vec<u8>) -> Result<()> {
        // A label alone is by far the most common action.
        if let (None, Some(name)) = (&self.dot, pipe.only_field()) {
            let value = self.context.labels.value(name).unwrap_or("");
            out.extend_from_slice(value.as_bytes());
            return Ok(());
        }
        let value = self.pipe(pipe)?;
        if pipe.variables.is_empty() {
            match value {
                Value::Nil => out.extend_from_slice(b"<no value>"),
                value => value.show(out),
            }
        }
        Ok(())
    }

    fn choose(&mut self, branch: &Branch, dot: Dot, out: &mut Vec<u8>) -> Result<Flow> {
        let known = self.variables.len();
        let value = self.pipe(&branch.pipe)?;
        let flow = match (value.is_true(), dot) {
            (false, _) => self.list(&branch.otherwise, out),
            (true, Dot::Stays) => self.list(&branch.then, out),
            (true, Dot::IsValue) => {
                let outer = self.dot.replace(value);
                let flow = self.list(&branch.then, out);
                self.dot = outer;
                flow
            }
        };
        self.variables.truncate(known);
        flow
    }

    fn range(&mut self, branch: &Branch, out: &mut Vec<u8>) -> Result<Flow> {
        let known = self.variables.len();
        // The variables belong to each round, not to the pipeline.
        let value = self.commands(&branch.pipe)?;
        let outer = self.dot.clone();
        let mut rounds = 0;
        let mut round = |exec: &mut Self, key: Value, element: Value, out: &mut Vec<u8>| {
            rounds += 1;
            exec.step()?;
            match &*branch.pipe.variables {
                [] => {}
                [only] => exec.set(branch.pipe.is_assignment, only, element.clone()),
                [first, second, ..] => {
                    exec.set(branch.pipe.is_assignment, first, key);
                    exec.set(branch.pipe.is_assignment, second, element.clone());
                }
            }
            exec.dot = Some(element);
            let flow = exec.list(&branch.then, out);
            exec.variables.truncate(known);
            flow.map(|flow| flow == Flow::Break)
        };
        match value {
            Value::Nil => {}
            Value::List(list) => {
                for (at, element) in list.iter().enumerate() {
                    let key = Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
                    if round(self, key, element.clone(), out)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, element) in map.iter() {
                    let key = Value::text(key.as_bytes());
                    if round(self, key, element.clone(), out)? {
                        break;
                    }
                }
            }
            Value::Int(count) => {
                for at in 0..count {
                    if round(self, Value::Int(at), Value::Int(at), out)? {
                        break;
                    }
                }
            }
            other => {
                let shown = String::from_utf8_lossy(&other.shown()).into_owned();
                let place = branch.pipe.commands.first().map(|command| &command.place);
                let what = format!("range can't iterate over {shown}");
                return Err(place.map_or(what.clone(), |place| self.fail_at(place, &what)));
            }
        }
        self.dot = outer;
        let flow = match rounds {
            0 => self.list(&branch.otherwise, out),
            _ => Ok(Flow::On),
        };
        self.variables.truncate(known);
        flow
    }

    fn set(&mut self, is_assignment: bool, name: &str, value: Value) {
        let known = self.variables.iter_mut().rev();
        let mut found = known.filter(|(known, _)| known == name);
        match found.next() {
            Some((_, place)) if is_assignment => *place = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipe(&mut self, pipe: &Pipe) -> Result<Value> {
        let value = self.commands(pipe)?;
        for name in &pipe.variables {
            self.set(pipe.is_assignment, name, value.clone());
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe) -> Result<Value> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, last)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    /// A command; what the one before it gave is its last argument.
    fn command(&mut self, command: &Command, last: Option<Value>) -> Result<Value> {
        self.step()?;
        let place = &command.place;
        let Some((first, rest)) = command.operands.split_first() else {
            return Ok(Value::Nil);
        };
        if let (Base::Function(name), true) = (&first.base, first.fields.is_empty()) {
            if matches!(*name, "and" | "or") {
                return self.shortcut(name, rest, last, place);
            }
            let mut arguments = Vec::with_capacity(rest.len() + 1);
            for operand in rest {
                arguments.push(self.operand(operand, place)?);
            }
            arguments.extend(last);
            return self.call(name, &arguments, place);
        }
        let has_arguments = !rest.is_empty() || last.is_some();
        match (&first.base, first.fields.split_last()) {
            // The last field may be a method that takes arguments.
            (_, Some((method, before))) if has_arguments => {
                let receiver = self.base_fields(&first.base, before, place)?;
                let mut arguments = Vec::new();
                for operand in rest {
                    arguments.push(self.operand(operand, place)?);
                }
                arguments.extend(last);
                self.method(&receiver, method, &arguments, place)
            }
            _ if has_arguments => {
                let what = format!("can't give argument to non-function {}", place.text);
                Err(self.fail_at(place, &what))
            }
            (Base::Nil, _) => Err(self.fail_at(place, "nil is not a command")),
            _ => self.operand(first, place),
        }
    }

    /// `and` and `or`: arguments behind the one that decides are not evaluated.
    fn shortcut(
        &mut self,
        name: &str,
        operands: &[Operand],
        last: Option<Value>,
        place: &Place,
    ) -> Result<Value> {
        let decides = name == "or";
        let mut value = None;
        for operand in operands {
            let next = self.operand(operand, place)?;
            if next.is_true() == decides {
                return Ok(next);
            }
            value = Some(next);
        }
        last.or(value).ok_or_else(|| {
            let what = format!("wrong number of args for {name}: want at least 1 got 0");
            self.fail_at(place, &what)
        })
    }

    fn call(&mut self, name: &'static str, arguments: &[Value], place: &Place) -> Result<Value> {
        if let Some(wanted) = functions::wrong_count(name, arguments.len()) {
            let got = arguments.len();
            let what = format!("wrong number of args for {name}: want {wanted} got {got}");
            let place = Place {
                text: name.to_owned(),
                ..place.clone()
            };
            return Err(self.fail_at(&place, &what));
        }
        functions::call(name, arguments, self)
            .map_err(|what| self.fail_at(place, &format!("error calling {name}: {what}")))
    }

    fn operand(&mut self, operand: &Operand, place: &Place) -> Result<Value> {
        self.base_fields(&operand.base, &operand.fields, place)
    }

    fn base_fields(&mut self, base: &Base, fields: &[String], place: &Place) -> Result<Value> {
        let is_root = match base {
            Base::Dot => self.dot.is_none(),
            Base::Variable(name) => name == "$",
            _ => false,
        };
        if is_root {
            return match fields {
                [] => Ok(self.labels()),
                [name] => Ok(self.label(name)),
                [name, field, ..] => {
                    let value = self.label(name);
                    Err(self.no_field(&value, field, place))
                }
            };
        }
        let mut value = match base {
            Base::Dot => self.dot.clone().unwrap_or(Value::Nil),
            Base::Nil => Value::Nil,
            Base::Constant(value) => value.clone(),
            Base::Variable(name) => {
                let mut known = self.variables.iter().rev();
                let found = known.find(|(known, _)| known == name);
                match found {
                    Some((_, value)) => value.clone(),
                    None => {
                        return Err(self.fail_at(place, &format!("undefined variable: {name}")));
                    }
                }
            }
            Base::Function(name) => self.call(name, &[], place)?,
            Base::Pipe(pipe) => self.pipe(pipe)?,
        };
        for field in fields {
            value = match &value {
                Value::Map(map) => self.member(map, field),
                Value::Time(_) => self.method(&value, field, &[], place)?,
                other => return Err(self.no_field(other, field, place)),
            };
        }
        Ok(value)
    }

    fn method(
        &mut self,
        receiver: &Value,
        method: &str,
        arguments: &[Value],
        place: &Place,
    ) -> Result<Value> {
        let Value::Time(time) = receiver else {
            return Err(match receiver {
                Value::Map(_) => {
                    let what = format!("{method} is not a method but has arguments");
                    self.fail_at(place, &what)
                }
                other => self.no_field(other, method, place),
            });
        };
        let made = time.method(method, arguments);
        made.unwrap_or_else(|| Err(format!("can't evaluate field {method} in type time.Time")))
            .map_err(|what| self.fail_at(place, &what))
    }

    fn no_field(&self, value: &Value, field: &str, place: &Place) -> String {
        let what = match value {
            Value::Nil => format!("nil pointer evaluating interface {{}}.{field}"),
            other => format!("can't evaluate field {field} in type {}", other.type_name()),
        };
        self.fail_at(place, &what)
    }

    fn label(&self, name: &str) -> Value {
        let value = self.context.labels.value(name).unwrap_or("");
        Value::text(value.as_bytes())
    }

    fn labels(&mut self) -> Value {
        let context = self.context;
        let labels = self.labels.get_or_insert_with(|| {
            let labels = context.labels.iter();
            let owned =
                labels.map(|(name, value)| (name.to_owned(), Value::text(value.as_bytes())));
            Arc::new(owned.collect())
        });
        Value::Map(labels.clone())
    }

    /// A member of a map. A label that is missing is an empty text, anything else is no value.
    pub(super) fn member(&self, map: &Arc<BTreeMap<String, Value>>, key: &str) -> Value {
        let is_labels = self
            .labels
            .as_ref()
            .is_some_and(|labels| Arc::ptr_eq(labels, map));
        match map.get(key) {
            Some(value) => value.clone(),
            None if is_labels => Value::text(Vec::new()),
            None => Value::Nil,
        }
    }
}

/// What `if` and `with` make of the dot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    Stays,
    IsValue,
}

//! The tree of a template.

use std::collections::BTreeSet;

use super::value::Value;

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(Vec<u8>),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
}

/// `{{if pipe}} then {{else}} otherwise {{end}}` and its kin.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// `$a, $b := first | second`.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    /// Variables that are set.
    pub(super) variables: Vec<String>,
    /// Whether they are set with `=`, and so existed before.
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// `function argument argument`, or a value alone.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
    /// Where it stands and how it is written, for errors.
    pub(super) place: Place,
}

/// Where something stands: line from 1, byte in it from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) text: String,
}

/// A value of a template.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) base: Base,
    /// `.a.b` behind it.
    pub(super) fields: Vec<String>,
}

/// What an operand begins with.
#[derive(Clone, Debug)]
pub(super) enum Base {
    Dot,
    Nil,
    Constant(Value),
    Variable(String),
    Function(&'static str),
    Pipe(Box<Pipe>),
}

/// What the dot is at some place of a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dot {
    /// The labels of the line.
    IsLabels,
    /// Something that `with` or `range` set.
    IsOther,
}

impl Pipe {
    /// The field of the dot that is all there is of it.
    pub(super) fn only_field(&self) -> Option<&str> {
        let ([command], []) = (&*self.commands, &*self.variables) else {
            return None;
        };
        match &*command.operands {
            [operand] if matches!(operand.base, Base::Dot) => match &*operand.fields {
                [name] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Adds the labels that nodes look at; false if they may look at any.
pub(super) fn collect_labels(nodes: &[Node], dot: Dot, names: &mut BTreeSet<String>) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(_) | Node::Break | Node::Continue => true,
        Node::Action(pipe) => of_pipe(pipe, dot, names),
        Node::If(branch) => {
            of_pipe(&branch.pipe, dot, names)
                && collect_labels(&branch.then, dot, names)
                && collect_labels(&branch.otherwise, dot, names)
        }
        Node::With(branch) | Node::Range(branch) => {
            of_pipe(&branch.pipe, dot, names)
                && collect_labels(&branch.then, Dot::IsOther, names)
                && collect_labels(&branch.otherwise, dot, names)
        }
    })
}

fn of_pipe(pipe: &Pipe, dot: Dot, names: &mut BTreeSet<String>) -> bool {
    let mut operands = pipe.commands.iter().flat_map(|command| &command.operands);
    operands.all(|operand| match (&operand.base, operand.fields.first()) {
        (Base::Dot, Some(name)) => {
            if dot == Dot::IsLabels {
                names.insert(name.clone());
            }
            true
        }
        (Base::Dot, None) => dot == Dot::IsOther,
        (Base::Variable(variable), field) if variable == "$" => {
            names.extend(field.cloned());
            field.is_some()
        }
        (Base::Pipe(pipe), _) => of_pipe(pipe, dot, names),
        (Base::Nil | Base::Constant(_) | Base::Variable(_) | Base::Function(_), _) => true,
    })
}

/// Whether a function is called anywhere.
pub(super) fn calls(nodes: &[Node], function: &str) -> bool {
    nodes.iter().any(|node| match node {
        Node::Text(_) | Node::Break | Node::Continue => false,
        Node::Action(pipe) => pipe_calls(pipe, function),
        Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
            pipe_calls(&branch.pipe, function)
                || calls(&branch.then, function)
                || calls(&branch.otherwise, function)
        }
    })
}

fn pipe_calls(pipe: &Pipe, function: &str) -> bool {
    let mut operands = pipe.commands.iter().flat_map(|command| &command.operands);
    operands.any(|operand| match &operand.base {
        Base::Function(name) => *name == function,
        Base::Pipe(pipe) => pipe_calls(pipe, function),
        Base::Dot | Base::Nil | Base::Constant(_) | Base::Variable(_) => false,
    })
}

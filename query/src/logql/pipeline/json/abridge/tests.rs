//! Lines with holes anywhere, and anything in the holes: what is wanted of the abridged line is
//! what is wanted of the whole one.

use std::ops::ControlFlow;

use super::super::flatten::{Flattened, Sink, flatten};
use super::super::scan::Fault;
use super::*;
use crate::logql::pipeline::LabelsWanted;

fn needs(names: &[&str]) -> Needs {
    let names = names.iter().map(|name| (*name).to_owned());
    Needs::new(&LabelsWanted::Names(names.collect()))
}

struct Found<'n> {
    needs: &'n Needs,
    values: Vec<(String, String)>,
}

impl Sink for Found<'_> {
    fn wants(&self, name: &[u8]) -> bool {
        self.needs.wants(name)
    }

    fn may_begin(&self, byte: u8) -> bool {
        self.needs.may_begin(byte)
    }

    fn value(&mut self, name: &str, value: &str) -> ControlFlow<()> {
        self.values.push((name.to_owned(), value.to_owned()));
        ControlFlow::Continue(())
    }
}

/// What a line gives, and whether it is sound.
fn read(line: &[u8], needs: &Needs) -> (Vec<(String, String)>, Result<(), Fault>) {
    let mut found = Found {
        needs,
        values: Vec::new(),
    };
    let result = flatten(line, &mut Flattened::default(), &mut found);
    (found.values, result)
}

/// As the engine has it.
fn is_met(filling: Filling, text: &str) -> bool {
    let is_run = !text.contains([' ', '\t', '\r', '\n', ',', '"', '\\', '[', ']', '{', '}']);
    let is_number =
        is_run && text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    match filling {
        Filling::Any => true,
        Filling::Quoted => {
            let plain = text.replace(r"\\", "").replace(r#"\""#, "");
            !plain.contains('"') && !plain.ends_with('\\')
        }
        Filling::Word => is_number || matches!(text, "true" | "false" | "null"),
        Filling::Number => is_number,
        Filling::Run => is_run,
    }
}

fn put_together(made: &Abridged, texts: &[&str]) -> Vec<u8> {
    let mut line = Vec::new();
    for (text, hole) in &made.parts {
        line.extend_from_slice(text);
        line.extend_from_slice(texts[*hole].as_bytes());
    }
    line.extend_from_slice(&made.last);
    line
}

fn whole(pieces: &[&[u8]], texts: &[&str]) -> Vec<u8> {
    let mut line = pieces[0].to_vec();
    for (text, piece) in texts.iter().zip(&pieces[1..]) {
        line.extend_from_slice(text.as_bytes());
        line.extend_from_slice(piece);
    }
    line
}

const LINES: &[&str] = &[
    r#"{"a":1,"b":"x y","c":{"d":true,"e":[1,"]",{"a":2}]},"a":"again"}"#,
    r#"{ "c" : { "d" : -1.5e3 , "f":{} } , "b":"say \"it\" \\", "n":null } rest {"a":1}"#,
    r#"{"c":{"c":{"d":"deep"},"d":"d"},"":{"a":7},"c_d":5,"b":"\u00e9",}"#,
    r#"{"list":["a","b\"",[3,[]],{"x":"}"}],"b":12,"long":"abcdefghijklmnopqrstuvwxyz0123456789"}"#,
    r#"{"a":1,"b":"cut"#,
    "{}",
];

const TEXTS: &[&str] = &[
    "7",
    "-3",
    "x",
    "true",
    "null",
    "",
    " ",
    "\\",
    r"\\",
    r#"\""#,
    "\"",
    ",",
    "{",
    "}",
    "]",
    "[",
    "a b",
    r"\n",
    "0.5",
    ":",
    "é",
    r#"","a":""#,
    r#"1,"a":2"#,
    r#"{"a":3}"#,
    "nul",
    "\t",
];

#[test]
fn what_is_wanted_of_an_abridged_line_is_what_is_wanted_of_the_whole() {
    let mut state = 88_172_645_463_325_252u64;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(end).unwrap()).unwrap()
    };
    let wanted = [
        needs(&["a"]),
        needs(&["b", "c_d"]),
        needs(&["c_d_extracted", "x", "c_c_d"]),
    ];
    let mut told = 0;
    for _ in 0..60_000 {
        let line = LINES[below(LINES.len())].as_bytes();
        let mut starts: Vec<usize> = (0..1 + below(3)).map(|_| below(line.len() + 1)).collect();
        starts.sort_unstable();
        starts.push(line.len());
        // Mostly short ones, as values are.
        let spans = starts
            .windows(2)
            .map(|pair| (pair[0], pair[1].min(pair[0] + below(5))));
        let spans: Vec<(usize, usize)> = spans.collect();
        let (mut pieces, mut from, mut texts) = (Vec::new(), 0, Vec::new());
        for (start, end) in &spans {
            pieces.push(&line[from..*start]);
            let own = std::str::from_utf8(&line[*start..*end]).unwrap_or("?");
            let is_own = below(2) == 0;
            texts.push(if is_own {
                own
            } else {
                TEXTS[below(TEXTS.len())]
            });
            from = *end;
        }
        pieces.push(&line[from..]);
        let needs = &wanted[below(wanted.len())];
        let Some(made) = Abridger::new(vec![needs.clone()]).shape(&pieces) else {
            continue;
        };
        let mut holes = made.fillings.iter().zip(&texts);
        if !holes.all(|(filling, text)| is_met(*filling, text)) {
            continue;
        }
        let (line, short) = (whole(&pieces, &texts), put_together(&made, &texts));
        let shown = String::from_utf8_lossy(&line);
        let expected = read(&line, needs);
        assert_eq!(expected.1, Ok(()), "{shown} {pieces:?}");
        assert_eq!(read(&short, needs), expected, "{shown} {pieces:?}");
        told += 1;
    }
    assert!(told > 2_000, "only {told} lines were abridged");
}

#[test]
fn an_abridged_line_has_the_wanted_members_alone() {
    let pieces: [&[u8]; 4] = [
        br#"{"time":""#,
        br#"","http":{"status":"#,
        br#","path":"/a","more":{"x":[1,2]}},"list":[1],"id":""#,
        br#""}"#,
    ];
    let made = |names: &[&str]| {
        let made = Abridger::new(vec![needs(names)]).shape(&pieces).unwrap();
        let line = put_together(&made, &["10:00", "503", "f00"]);
        (String::from_utf8(line).unwrap(), made.fillings)
    };
    let fillings = [Filling::Quoted, Filling::Word, Filling::Quoted];
    let cases: [(&[&str], &str); 4] = [
        (&["http_status"], r#"{"http":{"status":503}}"#),
        (&["http_path", "id"], r#"{"http":{"path":"/a"},"id":"f00"}"#),
        (&["list", "time"], r#"{"time":"10:00"}"#),
        (&["nosuch"], "{}"),
    ];
    for (names, line) in cases {
        assert_eq!(
            made(names),
            (line.to_owned(), fillings.to_vec()),
            "{names:?}"
        );
    }
    // A hole in a key, between members, behind a backslash; a line that is cut off.
    let kept: [&[&[u8]]; 4] = [
        &[br#"{"a"#, br#"":1}"#],
        &[br#"{"a":1 "#, b"}"],
        &[br#"{"a":"\"#, br#""}"#],
        &[br#"{"a":""#, br#"""#],
    ];
    for pieces in kept {
        assert_eq!(Abridger::new(vec![needs(&["a"])]).shape(pieces), None);
    }
}

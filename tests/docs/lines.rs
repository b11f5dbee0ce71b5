//! Command lines in a page: in blocks of code, behind a prompt or not, and in the text.

/// A line that a page shows, whole, and what it shows below it.
pub(super) struct Line {
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

/// The indented blocks of a page, without their indent.
pub(super) fn indented(page: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in page.lines() {
        let block = blocks.last_mut().expect("there is one from the start");
        match line.strip_prefix("    ") {
            Some(line) => block.extend([line, "\n"]),
            None if block.is_empty() => {}
            None => blocks.push(String::new()),
        }
    }
    blocks
}

/// The blocks of code of a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = indented(page);
    let fenced = page.split("```").skip(1).step_by(2);
    // What stands behind the fence is the language.
    blocks.extend(fenced.filter_map(|block| Some(block.split_once('\n')?.1.to_owned())));
    blocks
}

/// The command lines of a page: lines of code that call the program.
pub(super) fn lines(page: &str) -> Vec<Line> {
    let mut found = Vec::new();
    for block in blocks(page) {
        let block = block.replace("\\\n", " ");
        let has_prompts = block.contains("$ ");
        let mut last: Option<&mut Line> = None;
        for line in block.lines() {
            let (command, is_command) = match line.strip_prefix("$ ") {
                Some(command) => (command, true),
                None => (line, !(has_prompts && block.starts_with("$ "))),
            };
            if is_command {
                let calls = format!(" {command}").contains(" chronolith ");
                last = None;
                if calls {
                    found.push(Line {
                        command: command.to_owned(),
                        shown: Vec::new(),
                    });
                    last = found.last_mut();
                }
            } else if let Some(last) = &mut last {
                last.shown.push(line.to_owned());
            }
        }
    }
    found
}

/// Commands that the text of a page names.
pub(super) fn inline(page: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.starts_with("    ");
    let text: Vec<&str> = page.lines().filter(is_code).collect();
    let text = text.join(" ");
    let quoted = text.split('`').skip(1).step_by(2);
    let calls = quoted.filter(|text| text.starts_with("chronolith "));
    // A word in capitals stands for any.
    let named = calls.filter(|text| !text.contains(" COMMAND"));
    named.map(str::to_owned).collect()
}

/// The arguments of each call of the program in a command line, as a shell would give them.
pub(super) fn words(command: &str) -> Vec<Vec<String>> {
    let mut calls = vec![Vec::new()];
    let (mut word, mut quote, mut before) = (None::<String>, None, ' ');
    for letter in command.chars().chain(['\n']) {
        let is_space = letter.is_whitespace();
        match quote {
            Some(mark) if letter == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            // The rest is a comment.
            None if letter == '#' && before.is_whitespace() => break,
            None if is_space || "|;&".contains(letter) => {
                let call = calls.last_mut().expect("there is one from the start");
                call.extend(word.take());
                if !is_space {
                    calls.push(Vec::new());
                }
            }
            None => word.get_or_insert_default().push(letter),
        }
        before = letter;
    }
    calls
        .last_mut()
        .expect("there is one from the start")
        .extend(word);
    calls.retain(|call| call.first().is_some_and(|name| name == "chronolith"));
    calls
}

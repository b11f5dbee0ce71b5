//! References in values: `${NAME}` for an environment variable, `${NAME:-default}` where it may be
//! absent, `${file:PATH}` for what a file holds, `$$` for a dollar sign.
//!
//! What a reference stands for is never part of an error: it may be a secret.

/// Where references lead.
pub(super) struct Outside<'a> {
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) file: &'a dyn Fn(&str) -> std::io::Result<String>,
}

/// The text with what its references stand for.
pub(super) fn substitute(text: &str, outside: &Outside<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(behind) = after.strip_prefix('$') {
            out.push('$');
            rest = behind;
            continue;
        }
        let reference = after.strip_prefix('{').and_then(|it| it.split_once('}'));
        let Some((reference, behind)) = reference else {
            return Err(
                "a dollar sign begins a reference such as ${NAME} or ${file:PATH}: write \
                        $$ for the sign itself"
                    .to_owned(),
            );
        };
        out.push_str(&resolve(reference, outside)?);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

fn resolve(reference: &str, outside: &Outside<'_>) -> Result<String, String> {
    if let Some(path) = reference.strip_prefix("file:") {
        return (outside.file)(path)
            .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
            .map_err(|error| format!("cannot read the file {path} that is referred to: {error}"));
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err(format!(
            "${{{reference}}} is no reference: write ${{NAME}}, ${{NAME:-default}} or \
             ${{file:PATH}}"
        ));
    }
    (outside.variable)(name)
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| {
            format!(
                "the environment variable {name} is not set: set it, or write ${{{name}:-default}}"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(text: &str) -> Result<String, String> {
        let outside = Outside {
            variable: &|name| (name == "PORT").then(|| "9090".to_owned()),
            file: &|path| match path {
                "/run/secret" => Ok("s3cret\n".to_owned()),
                _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
            },
        };
        substitute(text, &outside)
    }

    #[test]
    fn references_are_replaced_by_what_they_stand_for() {
        assert_eq!(substituted("127.0.0.1:${PORT}").unwrap(), "127.0.0.1:9090");
        assert_eq!(substituted("${file:/run/secret}").unwrap(), "s3cret");
        assert_eq!(substituted("${HOST:-a}b$$${PORT}").unwrap(), "ab$9090");
        assert_eq!(substituted("plain").unwrap(), "plain");
    }

    #[test]
    fn a_reference_that_leads_nowhere_says_what_would_be_right() {
        let wrong = [
            ("${HOST}", "HOST is not set"),
            ("${file:/none}", "/none"),
            ("a$b", "$$"),
            ("${PORT", "$$"),
            ("${a b}", "is no reference"),
            ("${}", "is no reference"),
        ];
        for (text, expected) in wrong {
            let error = substituted(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

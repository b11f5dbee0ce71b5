//! Whether errors, warnings and infos are those that were expected.

use chronolith_engine::labels::Re2;

use crate::promql::script::Result;
use crate::promql::script::parse::{About, Eval, Rule, Says};

fn accepts(says: &Says, text: &str) -> Result<bool> {
    Ok(match says {
        Says::Anything => true,
        Says::Text(wanted) => text == wanted,
        Says::Pattern(pattern) => {
            let regex = Re2::compile(pattern).map_err(|error| error.to_string())?;
            regex.is_match(text.as_bytes())
        }
    })
}

/// Checks the error of an evaluation that had to fail.
pub(super) fn check_failure(eval: &Eval, message: &str) -> Result<()> {
    for rule in eval.rules.iter().filter(|rule| rule.about == About::Fail) {
        if !accepts(&rule.says, message)? {
            return Err(format!("failed with {message:?}, expected {:?}", rule.says));
        }
    }
    Ok(())
}

/// Checks the warnings and infos of an evaluation.
pub(super) fn check_annotations(eval: &Eval, warnings: &[String], infos: &[String]) -> Result<()> {
    check_level(
        &eval.rules,
        (About::Warn, About::NoWarn),
        "warning",
        warnings,
    )?;
    check_level(&eval.rules, (About::Info, About::NoInfo), "info", infos)
}

fn check_level(
    rules: &[Rule],
    (wanted, unwanted): (About, About),
    level: &str,
    texts: &[String],
) -> Result<()> {
    if rules.iter().any(|rule| rule.about == unwanted) && !texts.is_empty() {
        return Err(format!("unexpected {level}: {texts:?}"));
    }
    let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.about == wanted).collect();
    if rules.is_empty() {
        return Ok(());
    }
    for rule in &rules {
        let mut found = false;
        for text in texts {
            found |= accepts(&rule.says, text)?;
        }
        if !found {
            return Err(format!("expected {level} {:?}, got {texts:?}", rule.says));
        }
    }
    for text in texts {
        let mut expected = false;
        for rule in &rules {
            expected |= accepts(&rule.says, text)?;
        }
        if !expected {
            return Err(format!("unexpected {level}: {text:?}"));
        }
    }
    Ok(())
}

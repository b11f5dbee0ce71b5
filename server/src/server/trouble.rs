//! Tells the journal what the engine cannot do: once when that begins, once when it is over.
//!
//! Whoever writes is told by errors. But a merge or a freeze that fails has nobody who waits for
//! it, and what it leaves undone is felt much later.

use std::sync::Arc;
use std::time::Duration;

use chronolith_engine::Engine;
use tokio::sync::watch;

use crate::app::App;
use crate::journal::Level;

/// How often it is looked for.
const LOOK: Duration = Duration::from_secs(2);

/// Looks for trouble until the server stops.
pub(super) async fn watch(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut known = Vec::new();
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let Ok(engine) = app.engine() else {
            continue;
        };
        let found = troubles(&engine);
        for (level, message, trouble) in news(&known, &found) {
            app.journal.say(level, message, &[("why", trouble.into())]);
        }
        known = found;
    }
}

/// What the engine cannot do, in words.
fn troubles(engine: &Engine) -> Vec<String> {
    let errors = engine.wal_error().into_iter();
    let all = errors.chain(engine.background_errors());
    let mut texts: Vec<String> = all.map(|error| error.to_string()).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// What is to be told of: what was not known, and what is known no more.
fn news<'a>(known: &'a [String], found: &'a [String]) -> Vec<(Level, &'static str, &'a str)> {
    let begun = "the store cannot do a part of its work, and goes on trying";
    let over = "the store can do this part of its work again";
    let begins = found.iter().filter(|text| !known.contains(text));
    let ends = known.iter().filter(|text| !found.contains(text));
    let begins = begins.map(|text| (Level::Error, begun, text.as_str()));
    begins
        .chain(ends.map(|text| (Level::Notice, over, text.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let texts = |all: &[&str]| {
            all.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let told = |known: &[&str], found: &[&str]| -> Vec<(Level, String)> {
            let (known, found) = (texts(known), texts(found));
            let news = news(&known, &found);
            news.iter()
                .map(|(level, _, text)| (*level, (*text).to_owned()))
                .collect()
        };
        assert_eq!(told(&[], &["full"]), [(Level::Error, "full".to_owned())]);
        assert_eq!(told(&["full"], &["full"]), []);
        let both = [
            (Level::Error, "torn".to_owned()),
            (Level::Notice, "full".to_owned()),
        ];
        assert_eq!(told(&["full"], &["torn"]), both);
    }
}

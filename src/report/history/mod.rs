//! A history that is not linearizable, as one page that needs no network.
//!
//! Lanes for processes, bars for operations, bands for faults on the same axis, and the longest
//! orders: the page shows one of them, and hovering a bar shows one that the operation is in. The
//! axis is the order of events, which is what the verdict rests on; times are told on hovering.
//!
//! Owns the page; what is on it was decided by [`check`](crate::check).

mod lanes;

use core::fmt::{self, Write as _};

use crate::check::{Explanation, History};

/// What a page is made of; shown, it is HTML.
pub struct HistoryPage<'a> {
    /// What was judged, such as the name of a test or a file.
    pub title: &'a str,
    /// The whole history; the page shows what concerns the violation.
    pub history: &'a History,
    /// Why it is none that the model allows.
    pub explanation: &'a Explanation,
    /// A command that replays the run, if there is one.
    pub replay: Option<&'a str>,
}

const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

impl fmt::Display for HistoryPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = Escaped(self.title);
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{title}: not linearizable</title>\n<style>\n{CSS}</style>\n\
             <h1>{title}: not linearizable</h1>\n"
        )?;
        self.write_head(f)?;
        f.write_str("<div class=\"lanes\">\n")?;
        lanes::write(f, self.history, self.explanation)?;
        f.write_str("</div>\n<div class=\"below\">\n<section>\n<h2>Longest orders</h2>\n<p>")?;
        for n in 0..self.explanation.ends.len() {
            let pressed = n == 0;
            let name = n + 1;
            write!(
                f,
                "<button data-order=\"{n}\" aria-pressed=\"{pressed}\">{name}</button> "
            )?;
        }
        f.write_str("</p>\n<ol id=\"order\"></ol>\n</section>\n<section>\n<h2>Operation</h2>\n")?;
        f.write_str("<pre id=\"about\">Point at a bar.</pre>\n<h2>In words</h2>\n<pre>")?;
        write!(
            f,
            "{}</pre>\n</section>\n</div>\n",
            Escaped(self.explanation)
        )?;
        f.write_str("<script type=\"application/json\" id=\"orders\">")?;
        self.write_orders(f)?;
        write!(f, "</script>\n<script>\n{JS}</script>\n</html>\n")
    }
}

impl HistoryPage<'_> {
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { key, position, .. } = self.explanation;
        f.write_str("<p>")?;
        if let Some(key) = key {
            write!(f, "Key <code>{}</code>. ", Escaped(key))?;
        }
        write!(
            f,
            "Up to event {position} of {} there is an order of the operations; with it there is \
             none. The dark operations are as few as it takes: if the end of any of them were \
             unknown, there would be an order.",
            self.history.events().len()
        )?;
        if let Some(replay) = self.replay {
            write!(f, " Replay: <code>{}</code>", Escaped(replay))?;
        }
        f.write_str("</p>\n")
    }

    /// The orders as JSON, in which no tag can begin.
    fn write_orders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |id: u32| {
            let mut all = self.explanation.operations.iter();
            let shown = all.find(|shown| shown.operation == id);
            shown.map_or("", |shown| &shown.text)
        };
        let orders: Vec<_> = self
            .explanation
            .ends
            .iter()
            .map(|end| {
                let steps = end.order.iter().map(|(id, state)| (id, text(*id), state));
                Order {
                    steps: steps.collect(),
                    refused: &end.refused,
                }
            })
            .collect();
        let json = serde_json::to_string(&orders).map_err(|_| fmt::Error)?;
        f.write_str(&json.replace('<', "\\u003c"))
    }
}

#[derive(serde::Serialize)]
struct Order<'a> {
    steps: Vec<(&'a u32, &'a str, &'a String)>,
    refused: &'a [(u32, String)],
}

/// Text in which no markup begins.
struct Escaped<T>(T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '&' => self.0.write_str("&amp;")?,
                '"' => self.0.write_str("&quot;")?,
                other => self.0.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Budget, Question, judge_file};

    /// A page of a violation whose values try to be markup.
    fn page() -> String {
        let text = r#"{"process":0,"type":"invoke","f":"write","value":"<b>"}
{"process":0,"type":"ok","f":"write","value":"<b>","time":5}
{"process":"nemesis","type":"info","f":"start-partition","value":["n1"]}
{"process":1,"type":"invoke","f":"write","value":2}
{"process":2,"type":"invoke","f":"read","value":null}
{"process":"nemesis","type":"info","f":"stop-partition"}
{"process":2,"type":"ok","f":"read","value":null}
{"process":3,"type":"invoke","f":"cas","value":[7,8]}
{"process":3,"type":"fail","f":"cas","value":[7,8]}
"#;
        let question = Question {
            model: "cas-register",
            format: None,
            budget: Budget::default(),
        };
        let (history, explanation) = judge_file(text, question).drawing.unwrap();
        let page = HistoryPage {
            title: "a & b",
            history: &history,
            explanation: &explanation,
            replay: Some("STORMGLASS_SEED=7 cargo test"),
        };
        page.to_string()
    }

    #[test]
    fn a_page_shows_lanes_bars_and_bands() {
        let page = page();
        for lane in ["process 0", "process 1", "process 2", "process 3"] {
            assert!(page.contains(&format!(">{lane}</text>")), "{lane}: {page}");
        }
        for operation in 0..4 {
            assert!(
                page.contains(&format!("data-op=\"{operation}\"")),
                "{operation}"
            );
        }
        assert_eq!(page.matches("class=\"band\"").count(), 1);
        assert!(page.contains("start-partition"));
        assert!(page.contains("class=\"op firm\" data-op=\"0\""), "{page}");
        assert!(page.contains("class=\"op open\" data-op=\"1\""), "{page}");
        assert!(page.contains("class=\"op stuck\" data-op=\"2\""), "{page}");
        assert!(page.contains("class=\"op fail\" data-op=\"3\""), "{page}");
        assert!(page.contains("STORMGLASS_SEED=7"));
    }

    #[test]
    fn a_page_needs_no_network_and_trusts_no_value() {
        let page = page();
        assert!(!page.contains("http"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        assert!(page.contains("a &amp; b"));
        let orders = page.split("id=\"orders\">").nth(1).unwrap();
        let orders = orders.split("</script>").next().unwrap();
        let orders: serde_json::Value = serde_json::from_str(orders).unwrap();
        let why = orders[0]["refused"][0][1].as_str().unwrap();
        assert!(why.contains("is impossible when the value is"), "{why}");
    }
}

//! What the library writes to the log, caught as data on the thread of one test.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Everything that is logged on this thread while it lives, down to the finest level.
pub struct Log {
    entries: Arc<Mutex<Vec<Entry>>>,
    _guard: DefaultGuard,
}

/// One event: its level, and its fields (`message` among them) as text.
#[derive(Clone, Debug)]
pub struct Entry {
    pub level: Level,
    pub fields: BTreeMap<&'static str, String>,
}

impl Log {
    pub fn listen() -> Log {
        // While there is one listener only, what the other threads do decides what is logged at all.
        static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| Dispatch::new(Listener(Arc::default())));
        let entries = Arc::default();
        let guard = tracing::subscriber::set_default(Listener(Arc::clone(&entries)));
        Log { entries, _guard: guard }
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().expect("no test panics while it logs").clone()
    }

    pub fn errors(&self) -> Vec<Entry> {
        self.entries().into_iter().filter(|entry| entry.level == Level::ERROR).collect()
    }

    /// All that was written, as one text.
    pub fn text(&self) -> String {
        self.entries().iter().flat_map(|entry| entry.fields.values().cloned()).collect::<Vec<_>>().join("\n")
    }
}

impl Entry {
    /// A field as text; empty if the entry has none of this name.
    pub fn says(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", |value| value)
    }
}

struct Listener(Arc<Mutex<Vec<Entry>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("continuity")
    }

    fn event(&self, event: &Event<'_>) {
        let mut entry = Entry { level: *event.metadata().level(), fields: BTreeMap::new() };
        event.record(&mut entry);
        self.0.lock().expect("no test panics while it logs").push(entry);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// The warnings so far of threads on which no test listens: those of the library's own. Gathered from the first call on.
pub fn warnings_elsewhere() -> Vec<Entry> {
    static ELSEWHERE: OnceLock<Arc<Mutex<Vec<Entry>>>> = OnceLock::new();
    let entries = ELSEWHERE.get_or_init(|| {
        let entries = Arc::default();
        let warnings = Warnings(Listener(Arc::clone(&entries)));
        tracing::subscriber::set_global_default(warnings).expect("nobody else listens to all threads");
        entries
    });
    entries.lock().expect("no test panics while it logs").clone()
}

/// Listens to nothing finer.
struct Warnings(Listener);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && self.0.enabled(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.0.new_span(span)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

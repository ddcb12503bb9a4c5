//! What Daily answers on a good day: rooms are created, found and updated, keys are checked.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATIENCE, Reply, Request, Shared, State, TOKEN};

impl Shared {
    /// Holds a request until it is released; `false` when the fake ends first.
    pub(super) fn hold(&self) -> bool {
        let mut state = self.lock();
        state.held += 1;
        self.changed.notify_all();
        let begin = Instant::now();
        while !state.released && !state.stopping && begin.elapsed() < PATIENCE * 2 {
            state = self
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap()
                .0;
        }
        state.released
    }

    /// What Daily answers on a good day.
    pub(super) fn usual(&self, request: &Request) -> Reply {
        match request.authorization.as_deref() {
            None => return self.answer("no Authorization header", "", ""),
            Some(header) => match header.strip_prefix("Bearer ") {
                None => return self.answer("malformed Authorization header", "", ""),
                Some(TOKEN) => {}
                Some(_) => return self.answer("wrong key", "", ""),
            },
        }
        if request.line() == "POST /v1/meeting-tokens" {
            return self.answer("meeting token", "", "");
        }
        let mut state = self.lock();
        match (
            request.method.as_str(),
            request.path.strip_prefix("/v1/rooms"),
        ) {
            ("POST", Some("")) => self.create(&mut state, &request.body),
            ("GET", Some(rest)) => {
                let name = rest.trim_start_matches('/');
                match state.rooms.get(name) {
                    Some(room) => Reply::new(200, room.to_string()),
                    None => self.answer("get room, missing", "meet-nope", name),
                }
            }
            ("POST", Some(rest)) => {
                self.update(&mut state, rest.trim_start_matches('/'), &request.body)
            }
            _ => Reply::new(404, json!({ "error": "not-found" }).to_string()),
        }
    }

    fn create(&self, state: &mut State, body: &Value) -> Reply {
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if name.is_empty() || !plain {
            return self.answer("create room, bad characters", "com espaço", &name);
        }
        if state.rooms.contains_key(&name) {
            return self.answer("create room, name taken", "meet-seth", &name);
        }
        if self.is_past(&body["properties"]["exp"]) {
            return self.answer("create room, exp in the past", "", "");
        }
        let reply = self.answer("create room, new", "meet-seth", &name);
        let mut room: Value = serde_json::from_str(&reply.body).unwrap();
        if let Some(privacy) = body.get("privacy") {
            room["privacy"] = privacy.clone();
        }
        if let Some(properties) = body.get("properties") {
            room["config"] = properties.clone();
        }
        let reply = Reply::new(reply.status, room.to_string());
        state.rooms.insert(name, room);
        reply
    }

    fn update(&self, state: &mut State, name: &str, body: &Value) -> Reply {
        let keep_expiries = state.keep_expiries;
        let Some(room) = state.rooms.get_mut(name) else {
            return self.answer("get room, missing", "meet-nope", name);
        };
        for (key, value) in body["properties"].as_object().into_iter().flatten() {
            if key == "exp" && (self.is_past(value) || (value.is_null() && keep_expiries)) {
                return self.answer("create room, exp in the past", "", "");
            }
            match value {
                Value::Null => drop(room["config"].as_object_mut().unwrap().remove(key)),
                value => room["config"][key] = value.clone(),
            }
        }
        Reply::new(200, room.to_string())
    }

    fn is_past(&self, exp: &Value) -> bool {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        exp.as_f64().is_some_and(|exp| exp <= now)
    }
}

//! Finds or mints Daily rooms over the REST API.

-- The story of one deletion request: its reference stands in each event about it, and as the case of accesses for it.
CREATE INDEX audit_event_request ON audit_event (object, seq) WHERE object ~ '^(ticket:)?MP-';

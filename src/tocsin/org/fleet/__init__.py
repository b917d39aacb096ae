"""An org on more than one machine: nodes that have the journal of a NATS JetStream cluster in common."""

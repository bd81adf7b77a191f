"""Where objects live: the Store contract and its implementations (embedded SQLite, an etcd v3 cluster)."""

"""The store in an environment's own namespace, shared by all who reach its cluster.

    Lease cbctl-lock                 the lock; `kubectl get lease` shows who holds it, and why
    ConfigMap cbctl-log              what the present holder of the lock has written
    ConfigMap cbctl-STREAM-NNNNNN    what was written before, by stream, from that record on
    ConfigMap cbctl-archive-HASH     runs that are older than the newest ones, gzipped
    ConfigMap cbctl-blob-SHA256-NNN  anything large, gzipped

Another one is begun after 64 KiB; blobs and archives may have more. Only the log is ever changed.

A record is added in the log and nowhere else, by one conditional change of an object that also
names the holder. Who takes the lock first moves the records of the log to their streams and then
writes itself into the log, under the version that it moved; only then the lock counts as taken.
From then on a change by a former holder, however long it was on its way, meets another version of
the log and is refused. Moving is safe whoever does it, and however late: a record never changes.

store     the Store of the engine
lease     the lock's record as a Lease
log       what the present holder writes
streams   what was written before
archive   old runs, packed
blobs     anything large
objects   ConfigMaps and Leases, changed only from what was seen
"""

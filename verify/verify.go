// Package verify judges a ledger from its bytes, trusting nobody but the keys
// of a trust policy. docs/format.md says the same in words.
//
// The log is spoken for by its checkpoint: a signed note (c2sp.org/signed-note
// v1.0.0) of three lines, origin, size and root (c2sp.org/tlog-checkpoint
// v1.0.0, no extension lines), which witnesses may cosign
// (c2sp.org/tlog-cosignature v1.1.0):
//
//	ledger.example.com/2026
//	70000
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
//	— ledger.example.com/2026 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//
// A [Policy] (c2sp.org/tlog-policy) names the logs and witnesses whose
// signatures count. A [Receipt] (c2sp.org/tlog-proof) proves that an entry is in
// the tree of a checkpoint. A [Tree] reads the tiles and entries of
// c2sp.org/tlog-tiles through a [Source] and hands out only what it has hashed
// to the checkpoint's root. Hashes are those of RFC 6962, Section 2.1.
//
// Everything that is signed or hashed has one accepted spelling: what parses
// prints again as the same bytes, except for signature lines of keys that the
// policy does not name, which are ignored as the specification demands.
//
// # Not checked here
//
// Whether the log showed the same checkpoint to everybody is for its witnesses
// to say, and for whoever compares; whether stated facts are true, for nobody
// here.
package verify

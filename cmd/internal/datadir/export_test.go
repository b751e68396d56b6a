package datadir

// SucceedUntil is Succeed, which calls step before each of its steps and ends with
// its error.
var SucceedUntil = succeed

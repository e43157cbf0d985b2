//! The writes, as scripts: each runs as a whole on the server, or not at all.
//!
//! Every write carries the moment, by the server's own clock, after which it is not
//! to happen any more. A server that was stopped, or a network that held bytes
//! back, may run a command long after its caller gave up: it then does nothing.

/// A script that every connection has ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Writes a value that comes as an argument.
    /// `KEYS`: value, index, expiry. `ARGV`: deadline, condition, key, ttl in ms, value.
    Set,
    /// Makes a draft the value.
    /// `KEYS`: value, index, expiry, draft. `ARGV`: deadline, condition, key, ttl in ms.
    Commit,
    /// Deletes a value.
    /// `KEYS`: value, index, expiry. `ARGV`: deadline, condition, key.
    Delete,
    /// Reads a value's head and some of its bytes at the same moment.
    /// `KEYS`: value. `ARGV`: first byte, last byte of the stored string.
    Part,
    /// Reads the heads and summaries of values; empty where there is no value.
    /// `KEYS`: values.
    Heads,
    /// Takes keys out of the index that hold no value.
    /// `KEYS`: index, expiry, values. `ARGV`: their keys.
    Prune,
}

/// All of them, in the order of their declaration.
pub(super) const SCRIPTS: [Script; 6] =
    [Script::Set, Script::Commit, Script::Delete, Script::Part, Script::Heads, Script::Prune];

/// A condition that always holds; the others are the version that must be there,
/// empty for none.
pub(super) const ANY: &[u8] = b"any";

/// What a write answers.
pub(super) const DONE: &str = "done";
/// Its condition did not hold.
pub(super) const STALE: &str = "stale";
/// Its time was over.
pub(super) const LATE: &str = "late";
/// The draft had gone.
pub(super) const LOST: &str = "lost";

/// Every write begins so: in time, and under its condition.
const CHECKS: &str = "
local function no(why)
  if KEYS[4] then redis.call('UNLINK', KEYS[4]) end
  return why
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[1]) then return no('late') end
if ARGV[2] ~= 'any' and ARGV[2] ~= redis.call('GETRANGE', KEYS[1], 1, 16) then return no('stale') end
";

/// Every set ends so. Expiry is kept beside the index with the same clock as the
/// value's own, so what is due there holds no value: each write removes a few, more
/// than it adds.
const KEEP: &str = "
local ttl = tonumber(ARGV[4])
if ttl > 0 then
  local at = string.format('%.0f', now + ttl)
  redis.call('PEXPIREAT', KEYS[1], at)
  redis.call('ZADD', KEYS[3], at, ARGV[3])
else
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[3], ARGV[3])
end
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now - 1000), 'LIMIT', 0, 4)
for _, key in ipairs(due) do
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
return 'done'
";

impl Script {
    /// The script in Lua. A full server refuses the first write of a script or none,
    /// so the first of each set is one that it does refuse.
    pub(super) fn source(self) -> String {
        match self {
            Self::Set => format!(
                "{CHECKS}
redis.call('ZADD', KEYS[2], 0, ARGV[3])
redis.call('SET', KEYS[1], ARGV[5])
{KEEP}"
            ),
            Self::Commit => format!(
                "{CHECKS}
if redis.call('EXISTS', KEYS[4]) == 0 then return 'lost' end
redis.call('ZADD', KEYS[2], 0, ARGV[3])
redis.call('RENAME', KEYS[4], KEYS[1])
{KEEP}"
            ),
            Self::Delete => format!(
                "{CHECKS}
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[3])
return 'done'"
            ),
            Self::Part => "
return {redis.call('GETRANGE', KEYS[1], 0, 18), redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[2])}"
                .into(),
            Self::Heads => "
local heads = {}
for at, key in ipairs(KEYS) do
  local head = redis.call('GETRANGE', key, 0, 18)
  if #head == 19 then
    local bytes = head:byte(18) + 256 * head:byte(19)
    if bytes > 0 then head = redis.call('GETRANGE', key, 0, 18 + bytes) end
  end
  heads[at] = head
end
return heads"
                .into(),
            Self::Prune => "
for at, key in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[at + 2]) == 0 then
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[2], key)
  end
end
return 'done'"
                .into(),
        }
    }
}

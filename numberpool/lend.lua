-- The live state of one pool: who holds which number now. Each verb is atomic over a whole
-- batch: `lend`, `touch` (signs of life), `load` (from the ledger), `loaded` (is it?).
--
-- Times are whole milliseconds since 1970; '-inf' stands for "never". A member is a number
-- with its position before it ("0000000003:+74951000004"), so that members of equal score
-- stand in the owner's order.
--
-- state   hash  epoch, server, numbers, old, changed: what is loaded, and where
-- live    zset  numbers not known to be idle, by the current holder's last sign of life
-- free    zset  idle numbers, by the last sign of life of a holder that had seen it
--         A number the owner lets rest is in neither, nor is it anybody's in `owner`: who
--         holds it keeps it, and nobody is lent it anew.
-- sign    hash  member -> last sign of life of the current holder
-- seen    hash  member -> last sign of life of any holder that had seen it
-- holder  hash  member -> "session visitor shared" of the current holder
-- owner   hash  visitor -> the member that visitor's session is the current holder of
-- place   hash  number -> member
-- s:…    string, expiring, one a session: "epoch member seen shared"; of another epoch it means nothing,
--         because what was lent then may never have reached the ledger
local state, live, free, sign = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local seen, holder, owner, place = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
-- A session's key is made here: it has the pool's hash tag as well, so it lies in the same slot.
local SESSIONS = string.match(KEYS[1], '^(.*})') .. ':s:'

local verb = ARGV[1]
local now_text = ARGV[2]
local now = tonumber(now_text)
local idle_after = tonumber(ARGV[3]) -- ms without a sign of life
local remember = ARGV[4] -- seconds a session is remembered after its last sign of life

local call = redis.call
local SWEEP = 500 -- numbers that fall idle at once; the rest is seen to by the next batches
local MANY = 2000 -- arguments of one command; Lua's stack takes some thousands

local function clock(text)
    if text == '-inf' then return -math.huge end
    return tonumber(text)
end

local function at(ms)
    return string.format('%.0f', ms)
end

-- One command for as many arguments as go; calls one by one cost several times more.
local function many(command, key, arguments)
    for first = 1, #arguments, MANY do
        call(command, key, unpack(arguments, first, math.min(first + MANY - 1, #arguments)))
    end
end

-- A server that was started anew may hold a state from before its last writes.
local function server()
    return string.match(call('INFO', 'server'), 'run_id:(%w+)')
end

local function remember_session(session, epoch, member, has_seen, shared)
    call('SET', SESSIONS .. session, table.concat({ epoch, member, has_seen, shared }, ' '), 'EX', remember)
end

local function recall_session(session, epoch)
    local known = call('GET', SESSIONS .. session)
    if not known then return nil end
    local of, member, has_seen, shared = string.match(known, '^(%d+) (%S+) (%d) (%d)$')
    if of == epoch then return member, has_seen, shared end
end

local function holder_of(member)
    local text = call('HGET', holder, member)
    if not text then return '', '', '0' end
    return string.match(text, '^(%S+) (%S+) (%d)$')
end

-- `when`: the moment as it was told
local function sign_of_life(member, session, when, has_seen)
    local last_sign = call('HGET', sign, member)
    if not last_sign then return end -- retired since
    local moment = tonumber(when)
    if holder_of(member) == session and moment > clock(last_sign) then
        call('HSET', sign, member, when)
        if call('ZREM', free, member) == 1 then
            call('ZADD', live, when, member)
        else
            call('ZADD', live, 'XX', when, member) -- a resting number is in neither
        end
    end
    if has_seen == '1' and moment > clock(call('HGET', seen, member)) then
        call('HSET', seen, member, when)
        call('ZADD', free, 'XX', when, member)
    end
end

-- Numbers whose holder gave no sign of life for long enough go from live to free.
local function sweep()
    local bound = '(' .. at(now - idle_after)
    local idle = call('ZRANGEBYSCORE', live, '-inf', bound, 'LIMIT', 0, SWEEP)
    if #idle == 0 then return end
    local clocks, moved = call('HMGET', seen, unpack(idle)), {}
    for n, member in ipairs(idle) do
        moved[2 * n - 1], moved[2 * n] = clocks[n], member
    end
    many('ZADD', free, moved)
    call('ZREMRANGEBYRANK', live, 0, #idle - 1)
end

local function show(member, session, visitor, shared)
    local _, before = holder_of(member)
    if before ~= '' and call('HGET', owner, before) == member then call('HDEL', owner, before) end
    call('HSET', holder, member, session .. ' ' .. visitor .. ' ' .. shared)
    call('HSET', owner, visitor, member)
    call('HSET', sign, member, now_text)
    call('ZADD', live, now_text, member)
    call('ZREM', free, member)
end

-- The number for a session that has none, and whether it is shared; nil: none now.
local function choose(visitor, reading, late, share, rest)
    local own = call('HGET', owner, visitor)
    if own then
        local _, _, shared = holder_of(own)
        return own, call('ZSCORE', free, own) and '0' or shared
    end
    local oldest = call('ZRANGE', free, 0, 0, 'WITHSCORES')
    if reading or late == 'never' then
        if oldest[1] then return oldest[1], '0' end
        if share then return call('ZRANGE', live, 0, 0)[1], '1' end
    elseif late ~= 'always' and oldest[1] and now - clock(oldest[2]) >= rest then
        return oldest[1], '0'
    end
    return nil
end

-- The epoch of the loaded state; nil when it must not be used.
local function loaded_epoch()
    local loaded = call('HMGET', state, 'epoch', 'server')
    if loaded[1] and loaded[2] == server() then return loaded[1] end
end

local function loaded_with(numbers, patience)
    local epoch = loaded_epoch()
    if not epoch then return nil end
    local loaded = call('HMGET', state, 'numbers', 'old', 'changed')
    if loaded[1] == numbers then return epoch end
    -- Another process may not have heard yet that the owner changed the numbers.
    if loaded[2] == numbers and now - tonumber(loaded[3]) < patience then return epoch end
end

-- ARGV 5..: fingerprint, patience (ms), late, share, rest (ms), the wants. Each want is a line of
-- session, visitor, number the ledger says it holds or nothing, reading '0'/'1'; each answer a
-- line of number or nothing, shared '0'/'1'. One text for all is cheaper than an argument each.
local function lend()
    local epoch = loaded_with(ARGV[5], tonumber(ARGV[6]))
    if not epoch then return false end
    local late, share, rest = ARGV[7], ARGV[8] == '1', tonumber(ARGV[9])
    sweep()
    local answers = {}
    for session, visitor, keep, reading in string.gmatch(ARGV[10], '(%x+) (%x+) (%S*) ([01])\n') do
        local member, has_seen, shared = recall_session(session, epoch)
        if keep ~= '' and (not member or string.match(member, ':(.+)$') ~= keep) then
            -- The ledger knows better: that number was shown.
            member, has_seen, shared = call('HGET', place, keep) or ('0:' .. keep), '0', '0'
        end
        if not member then
            member, shared = choose(visitor, reading == '1', late, share, rest)
            has_seen = 'new'
            if member then show(member, session, visitor, shared) end
        end
        if member then
            local shown_now = has_seen == 'new'
            if reading == '1' then has_seen = '1' elseif shown_now then has_seen = '0' end
            remember_session(session, epoch, member, has_seen, shared)
            if not shown_now or has_seen == '1' then sign_of_life(member, session, now_text, has_seen) end
            answers[#answers + 1] = string.match(member, ':(.+)$') .. ' ' .. shared
        else
            answers[#answers + 1] = ' 0'
        end
    end
    return { epoch, table.concat(answers, '\n') }
end

-- ARGV 5..: for each sign of life: session, moment (ms), seen '0'/'1'
local function touch()
    local epoch = loaded_epoch()
    if not epoch then return 0 end
    local known_here = 0
    for n = 1, (#ARGV - 4) / 3 do
        local base = 4 + (n - 1) * 3
        local session, when, now_seen = ARGV[base + 1], ARGV[base + 2], ARGV[base + 3]
        local member, has_seen, shared = recall_session(session, epoch)
        if member then
            if now_seen == '1' then has_seen = '1' end
            remember_session(session, epoch, member, has_seen, shared)
            sign_of_life(member, session, when, has_seen)
            known_here = known_here + 1
        end
    end
    return known_here
end

-- ARGV 5, 6: fingerprint, patience (ms)
local function loaded()
    local usable = loaded_with(ARGV[5], tonumber(ARGV[6])) and 1 or 0
    return { call('HGET', state, 'epoch') or '0', usable, call('HGET', state, 'numbers') or '' }
end

-- ARGV 5..: epoch, fingerprint, fingerprint still accepted or '', how many numbers; for each
-- number: member, sign, seen, holder or '', resting '0'/'1'; then for each session: session,
-- member, seen, shared.
-- Answers 1, or 0 when a newer epoch is loaded already.
local function load()
    local epoch = ARGV[5]
    local loaded = call('HGET', state, 'epoch')
    if loaded and tonumber(loaded) >= tonumber(epoch) then return 0 end
    call('DEL', state, live, free, sign, seen, holder, owner, place)
    local count = tonumber(ARGV[8])
    local places, signs, seens, lives, frees, holders, owners = {}, {}, {}, {}, {}, {}, {}
    local function add(list, one, other)
        list[#list + 1] = one
        list[#list + 1] = other
    end
    for n = 1, count do
        local base = 8 + (n - 1) * 5
        local member, last_sign, last_seen, held = ARGV[base + 1], ARGV[base + 2], ARGV[base + 3], ARGV[base + 4]
        local rests = ARGV[base + 5] == '1'
        add(places, string.match(member, ':(.+)$'), member)
        add(signs, member, last_sign)
        add(seens, member, last_seen)
        if held ~= '' then add(holders, member, held) end
        if not rests then
            if held ~= '' then add(owners, string.match(held, '^%S+ (%S+)'), member) end
            if now - clock(last_sign) > idle_after then
                add(frees, last_seen, member)
            else
                add(lives, last_sign, member)
            end
        end
    end
    many('HSET', place, places)
    many('HSET', sign, signs)
    many('HSET', seen, seens)
    many('HSET', holder, holders)
    many('HSET', owner, owners)
    many('ZADD', live, lives)
    many('ZADD', free, frees)
    for base = 8 + count * 5, #ARGV - 1, 4 do
        remember_session(ARGV[base + 1], epoch, ARGV[base + 2], ARGV[base + 3], ARGV[base + 4])
    end
    call('HSET', state, 'epoch', epoch, 'server', server(), 'numbers', ARGV[6], 'old', ARGV[7], 'changed', now_text)
    return 1
end

if verb == 'lend' then return lend() end
if verb == 'touch' then return touch() end
if verb == 'load' then return load() end
return loaded()

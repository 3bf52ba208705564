-- What the parsers of fluent-bit cannot do: a syslog line's priority in its parts, and fields by the names of ECS.
-- Dots in names are what Elasticsearch takes for nesting.
local severities = { [0] = "emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug" }
local facilities = { [0] = "kernel", "user-level", "mail", "daemon", "security/authorization", "syslogd", "line printer",
    "network news", "uucp", "clock", "security/authorization", "ftp", "ntp", "log audit", "log alert", "clock",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" }

function syslog(tag, timestamp, record)
    local priority = record["pri"]
    if priority == nil then
        return 0, timestamp, record
    end
    local severity, facility = priority % 8, math.floor(priority / 8)
    -- tcp://127.0.0.1:40000
    local address = string.match(record["source"] or "", "//(.*):%d+$")
    return 2, timestamp, {
        ["@version"] = "1",
        ["message"] = record["message"],
        ["event.original"] = record["original"],
        ["log.syslog.priority"] = priority,
        ["log.syslog.severity.code"] = severity,
        ["log.syslog.severity.name"] = severities[severity],
        ["log.syslog.facility.code"] = facility,
        ["log.syslog.facility.name"] = facilities[facility],
        ["log.syslog.version"] = record["version"],
        ["log.syslog.msgid"] = record["msgid"],
        ["log.syslog.structured_data"] = record["structured_data"],
        ["host.ip"] = address,
        ["host.hostname"] = record["hostname"],
        ["process.name"] = record["program"],
        ["process.pid"] = record["pid"],
        ["service.type"] = "system",
    }
end

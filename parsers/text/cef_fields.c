/* cef_fields.c - the table; fields that win over others of the same place stand last. */
#include "parsers/text/cef_fields.h"

#include <stddef.h>

#define FIELD(name, key, ecs)                                                                      \
    {                                                                                              \
        name, key, ecs, ecs, NULL, false                                                           \
    }
#define TIME(name, key, ecs)                                                                       \
    {                                                                                              \
        name, key, ecs, ecs, NULL, true                                                            \
    }
#define LEGACY(name, key, ecs, legacy)                                                             \
    {                                                                                              \
        name, key, ecs, ecs, legacy, false                                                         \
    }
#define DEVICE(name, key, observer, host)                                                          \
    {                                                                                              \
        name, key, observer, host, NULL, false                                                     \
    }

/* clang-format off */
#define CUSTOM(name, key, ecs) \
    FIELD(name, key, "[cef][" ecs "][value]"), \
    FIELD(name "Label", key "Label", "[cef][" ecs "][label]")
#define CUSTOM_OF(n) \
    CUSTOM("deviceCustomFloatingPoint" #n, "cfp" #n, "device_custom_floating_point_" #n), \
    CUSTOM("deviceCustomIPv6Address" #n, "c6a" #n, "device_custom_ipv6_address_" #n), \
    CUSTOM("deviceCustomNumber" #n, "cn" #n, "device_custom_number_" #n), \
    CUSTOM("deviceCustomString" #n, "cs" #n, "device_custom_string_" #n),
#define CUSTOMS \
    CUSTOM_OF(1) CUSTOM_OF(2) CUSTOM_OF(3) CUSTOM_OF(4) CUSTOM_OF(5) CUSTOM_OF(6) CUSTOM_OF(7) \
    CUSTOM_OF(8) CUSTOM_OF(9) CUSTOM_OF(10) CUSTOM_OF(11) CUSTOM_OF(12) CUSTOM_OF(13) \
    CUSTOM_OF(14) CUSTOM_OF(15)
/* clang-format on */

const struct cef_field cef_fields[] = {
    FIELD("agentAddress", "agt", "[agent][ip]"),
    FIELD("agentHostName", "ahost", "[agent][name]"),
    FIELD("agentId", "aid", "[agent][id]"),
    FIELD("agentMacAddress", "amac", "[agent][mac]"),
    FIELD("agentNtDomain", "agentNtDomain", "[cef][agent][registered_domain]"),
    TIME("agentReceiptTime", "art", "[event][created]"),
    FIELD("agentTimeZone", "atz", "[cef][agent][timezone]"),
    FIELD("agentTranslatedAddress", "agentTranslatedAddress", "[cef][agent][nat][ip]"),
    FIELD("agentTranslatedZoneExternalID", "agentTranslatedZoneExternalID",
          "[cef][agent][translated_zone][external_id]"),
    FIELD("agentTranslatedZoneURI", "agentTranslatedZoneURI", "[cef][agent][translated_zone][uri]"),
    FIELD("agentType", "at", "[agent][type]"),
    FIELD("agentVersion", "av", "[agent][version]"),
    FIELD("agentZoneExternalID", "agentZoneExternalID", "[cef][agent][zone][external_id]"),
    FIELD("agentZoneURI", "agentZoneURI", "[cef][agent][zone][uri]"),
    FIELD("applicationProtocol", "app", "[network][protocol]"),
    FIELD("baseEventCount", "cnt", "[cef][base_event_count]"),
    FIELD("bytesIn", "in", "[source][bytes]"),
    FIELD("bytesOut", "out", "[destination][bytes]"),
    FIELD("categoryDeviceType", "catdt", "[cef][device_type]"),
    FIELD("customerExternalID", "customerExternalID", "[organization][id]"),
    FIELD("customerURI", "customerURI", "[organization][name]"),
    FIELD("destinationAddress", "dst", "[destination][ip]"),
    LEGACY("destinationGeoLatitude", "dlat", "[destination][geo][location][lat]",
           "destinationLatitude"),
    LEGACY("destinationGeoLongitude", "dlong", "[destination][geo][location][lon]",
           "destinationLongitude"),
    FIELD("destinationHostName", "dhost", "[destination][domain]"),
    FIELD("destinationMacAddress", "dmac", "[destination][mac]"),
    FIELD("destinationNtDomain", "dntdom", "[destination][registered_domain]"),
    FIELD("destinationPort", "dpt", "[destination][port]"),
    FIELD("destinationProcessId", "dpid", "[destination][process][pid]"),
    FIELD("destinationProcessName", "dproc", "[destination][process][name]"),
    FIELD("destinationServiceName", "destinationServiceName", "[destination][service][name]"),
    FIELD("destinationTranslatedAddress", "destinationTranslatedAddress", "[destination][nat][ip]"),
    FIELD("destinationTranslatedPort", "destinationTranslatedPort", "[destination][nat][port]"),
    FIELD("destinationTranslatedZoneExternalID", "destinationTranslatedZoneExternalID",
          "[cef][destination][translated_zone][external_id]"),
    FIELD("destinationTranslatedZoneURI", "destinationTranslatedZoneURI",
          "[cef][destination][translated_zone][uri]"),
    FIELD("destinationUserId", "duid", "[destination][user][id]"),
    FIELD("destinationUserName", "duser", "[destination][user][name]"),
    FIELD("destinationUserPrivileges", "dpriv", "[destination][user][group][name]"),
    FIELD("destinationZoneExternalID", "destinationZoneExternalID",
          "[cef][destination][zone][external_id]"),
    FIELD("destinationZoneURI", "destinationZoneURI", "[cef][destination][zone][uri]"),
    FIELD("deviceAction", "act", "[event][action]"),
    DEVICE("deviceAddress", "dvc", "[observer][ip]", "[host][ip]"),
    CUSTOMS /* ends with a comma */
        FIELD("deviceDirection", "deviceDirection", "[network][direction]"),
    FIELD("deviceEventCategory", "cat", "[cef][category]"),
    DEVICE("deviceExternalId", "deviceExternalId", "[observer][name]", "[host][id]"),
    FIELD("deviceFacility", "deviceFacility", "[log][syslog][facility][code]"),
    DEVICE("deviceHostName", "dvchost", "[observer][hostname]", "[host][name]"),
    FIELD("deviceInboundInterface", "deviceInboundInterface",
          "[observer][ingress][interface][name]"),
    DEVICE("deviceMacAddress", "dvcmac", "[observer][mac]", "[host][mac]"),
    FIELD("deviceNtDomain", "deviceNtDomain", "[cef][nt_domain]"),
    FIELD("deviceOutboundInterface", "deviceOutboundInterface",
          "[observer][egress][interface][name]"),
    FIELD("devicePayloadId", "devicePayloadId", "[cef][payload_id]"),
    FIELD("deviceProcessId", "dvcpid", "[process][pid]"),
    FIELD("deviceProcessName", "deviceProcessName", "[process][name]"),
    TIME("deviceReceiptTime", "rt", "@timestamp"),
    LEGACY("deviceTimeZone", "dtz", "[event][timezone]", "destinationTimeZone"),
    FIELD("deviceTranslatedAddress", "deviceTranslatedAddress", "[host][nat][ip]"),
    FIELD("deviceTranslatedZoneExternalID", "deviceTranslatedZoneExternalID",
          "[cef][translated_zone][external_id]"),
    FIELD("deviceTranslatedZoneURI", "deviceTranslatedZoneURI", "[cef][translated_zone][uri]"),
    FIELD("deviceVersion", "deviceVersion", "[observer][version]"),
    FIELD("deviceZoneExternalID", "deviceZoneExternalID", "[cef][zone][external_id]"),
    FIELD("deviceZoneURI", "deviceZoneURI", "[cef][zone][uri]"),
    TIME("endTime", "end", "[event][end]"),
    FIELD("eventId", "eventId", "[event][id]"),
    FIELD("eventOutcome", "outcome", "[event][outcome]"),
    FIELD("externalId", "externalId", "[cef][external_id]"),
    FIELD("fileCreateTime", "fileCreateTime", "[file][created]"),
    FIELD("fileHash", "fileHash", "[file][hash]"),
    FIELD("fileId", "fileId", "[file][inode]"),
    TIME("fileModificationTime", "fileModificationTime", "[file][mtime]"),
    FIELD("fileName", "fname", "[file][name]"),
    FIELD("filePath", "filePath", "[file][path]"),
    FIELD("filePermission", "filePermission", "[file][group]"),
    FIELD("fileSize", "fsize", "[file][size]"),
    FIELD("fileType", "fileType", "[file][extension]"),
    TIME("managerReceiptTime", "mrt", "[event][ingested]"),
    FIELD("message", "msg", "[message]"),
    TIME("oldFileCreateTime", "oldFileCreateTime", "[cef][old_file][created]"),
    FIELD("oldFileHash", "oldFileHash", "[cef][old_file][hash]"),
    FIELD("oldFileId", "oldFileId", "[cef][old_file][inode]"),
    TIME("oldFileModificationTime", "oldFileModificationTime", "[cef][old_file][mtime]"),
    FIELD("oldFileName", "oldFileName", "[cef][old_file][name]"),
    FIELD("oldFilePath", "oldFilePath", "[cef][old_file][path]"),
    FIELD("oldFilePermission", "oldFilePermission", "[cef][old_file][group]"),
    FIELD("oldFileSize", "oldFileSize", "[cef][old_file][size]"),
    FIELD("oldFileType", "oldFileType", "[cef][old_file][extension]"),
    FIELD("rawEvent", "rawEvent", "[event][original]"),
    FIELD("Reason", "reason", "[event][reason]"),
    FIELD("requestClientApplication", "requestClientApplication", "[user_agent][original]"),
    FIELD("requestContext", "requestContext", "[http][request][referrer]"),
    FIELD("requestCookies", "requestCookies", "[cef][request][cookies]"),
    FIELD("requestMethod", "requestMethod", "[http][request][method]"),
    FIELD("requestUrl", "request", "[url][original]"),
    FIELD("sourceAddress", "src", "[source][ip]"),
    LEGACY("sourceGeoLatitude", "slat", "[source][geo][location][lat]", "sourceLatitude"),
    LEGACY("sourceGeoLongitude", "slong", "[source][geo][location][lon]", "sourceLongitude"),
    FIELD("sourceHostName", "shost", "[source][domain]"),
    FIELD("sourceMacAddress", "smac", "[source][mac]"),
    FIELD("sourceNtDomain", "sntdom", "[source][registered_domain]"),
    FIELD("sourcePort", "spt", "[source][port]"),
    FIELD("sourceProcessId", "spid", "[source][process][pid]"),
    FIELD("sourceProcessName", "sproc", "[source][process][name]"),
    FIELD("sourceServiceName", "sourceServiceName", "[source][service][name]"),
    FIELD("sourceTranslatedAddress", "sourceTranslatedAddress", "[source][nat][ip]"),
    FIELD("sourceTranslatedPort", "sourceTranslatedPort", "[source][nat][port]"),
    FIELD("sourceTranslatedZoneExternalID", "sourceTranslatedZoneExternalID",
          "[cef][source][translated_zone][external_id]"),
    FIELD("sourceTranslatedZoneURI", "sourceTranslatedZoneURI",
          "[cef][source][translated_zone][uri]"),
    FIELD("sourceUserId", "suid", "[source][user][id]"),
    FIELD("sourceUserName", "suser", "[source][user][name]"),
    FIELD("sourceUserPrivileges", "spriv", "[source][user][group][name]"),
    FIELD("sourceZoneExternalID", "sourceZoneExternalID", "[cef][source][zone][external_id]"),
    FIELD("sourceZoneURI", "sourceZoneURI", "[cef][source][zone][uri]"),
    TIME("startTime", "start", "[event][start]"),
    FIELD("transportProtocol", "proto", "[network][transport]"),
    FIELD("type", "type", "[cef][type]"),
    FIELD("agentDnsDomain", "agentDnsDomain", "[cef][agent][registered_domain]"),
    FIELD("destinationDnsDomain", "destinationDnsDomain", "[destination][registered_domain]"),
    DEVICE("deviceDnsDomain", "deviceDnsDomain", "[observer][registered_domain]",
           "[host][registered_domain]"),
    FIELD("sourceDnsDomain", "sourceDnsDomain", "[source][registered_domain]"),
};

const uint32_t cef_field_n = sizeof(cef_fields) / sizeof(cef_fields[0]);

/*
 * dictionary.h - a small pattern library for the tests, in the shapes that real ones have.
 */
#ifndef TESTS_UNIT_PARSERS_GROK_DICTIONARY_H
#define TESTS_UNIT_PARSERS_GROK_DICTIONARY_H

static const char test_dictionary[] =
    "# building blocks\n"
    "INT (?:[+-]?(?:[0-9]+))\n"
    "BASE10NUM (?<![0-9.+-])(?>[+-]?(?:(?:[0-9]+(?:\\.[0-9]+)?)|(?:\\.[0-9]+)))\n"
    "NUMBER (?:%{BASE10NUM})\n"
    "POSINT \\b(?:[1-9][0-9]*)\\b\n"
    "WORD \\b\\w+\\b\n"
    "NOTSPACE \\S+\n"
    "SPACE \\s*\n"
    "DATA .*?\n"
    "GREEDYDATA .*\n"
    "USER [a-zA-Z0-9._-]+\n"
    "QS (?<!\\\\)(?:\"(?:[^\"\\\\]++|\\\\.)*+\"|'(?:[^'\\\\]++|\\\\.)*+')\n"
    "H16 [0-9A-Fa-f]{1,4}\n"
    "OCTET (?:[0-1]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])\n"
    "IPV6 (?:(?:%{H16}:){7}%{H16}|(?:%{H16}:){1,6}:%{H16}|(?:%{H16}:){1,7}:|::%{H16}?)(?:%.+)?\n"
    "IPV4 (?<![0-9])(?:%{OCTET}[.]){3}%{OCTET}(?![0-9])\n"
    "IP (?:%{IPV6}|%{IPV4})\n"
    "HOSTNAME "
    "\\b(?:[0-9A-Za-z][0-9A-Za-z-]{0,62})(?:\\.(?:[0-9A-Za-z][0-9A-Za-z-]{0,62}))*(\\.?|\\b)\n"
    "IPORHOST (?:%{IP}|%{HOSTNAME})\n"
    "MONTH \\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]un[e]?|"
    "[Jj]ul[y]?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|"
    "[Dd]ec(?:ember)?)\\b\n"
    "MONTHDAY (?:(?:0[1-9])|(?:[12][0-9])|(?:3[01])|[1-9])\n"
    "YEAR (?>\\d\\d){1,2}\n"
    "HOUR (?:2[0123]|[01]?[0-9])\n"
    "MINUTE (?:[0-5][0-9])\n"
    "SECOND (?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)\n"
    "TIME (?!<[0-9])%{HOUR}:%{MINUTE}(?::%{SECOND})(?![0-9])\n"
    "HTTPDATE %{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}\n"
    "SYSLOGTIMESTAMP %{MONTH} +%{MONTHDAY} %{TIME}\n"
    "PROG [\\x21-\\x5a\\x5c\\x5e-\\x7e]+\n"
    "SYSLOGPROG %{PROG:program}(?:\\[%{POSINT:pid}\\])?\n"
    "SYSLOGBASE %{SYSLOGTIMESTAMP:timestamp} %{IPORHOST:logsource} %{SYSLOGPROG}:\n"
    "COMMONAPACHELOG %{IPORHOST:clientip} %{USER:ident} %{USER:auth} \\[%{HTTPDATE:timestamp}\\] "
    "\"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})\" "
    "%{NUMBER:response} (?:%{NUMBER:bytes}|-)\n"
    "COMBINEDAPACHELOG %{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}\n"
    "TIMESTAMP_ISO8601 %{YEAR}-[01]?[0-9]-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?"
    "(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))?\n"
    "LOGLEVEL (?:[Dd]ebug|DEBUG|[Ii]nfo|INFO|[Ww]arn(?:ing)?|WARN(?:ING)?|[Ee]rr(?:or)?|"
    "ERR(?:OR)?)\n"
    "UNIXPATH (/[[[:alnum:]]_%!$@:.,+~-]*)+\n"
    "LOOP a%{LOOP}\n";

#endif

# prelude.rb - what scripts find loaded, as they do in Logstash.

require "json"
require "time"
require "set"
require "bigdecimal"
require "bigdecimal/util"

{ Digest: "digest", IPAddr: "ipaddr", Base64: "base64", URI: "uri",
  SecureRandom: "securerandom", OpenSSL: "openssl", CGI: "cgi", Zlib: "zlib", YAML: "yaml",
  StringIO: "stringio", CSV: "csv", Socket: "socket", Tempfile: "tempfile", FileUtils: "fileutils",
  Pathname: "pathname", ERB: "erb", OpenStruct: "ostruct", Shellwords: "shellwords",
  Timeout: "timeout", Resolv: "resolv", Benchmark: "benchmark", Open3: "open3",
  StringScanner: "strscan", Matrix: "matrix", Singleton: "singleton", Forwardable: "forwardable",
  Observable: "observer", Delegator: "delegate", SimpleDelegator: "delegate", PP: "pp" }
  .each { |name, file| autoload(name, file) }

module LogStash; end

module Spate
  DRIVER_NAME = __FILE__
end

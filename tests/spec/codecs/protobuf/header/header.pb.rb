#!/usr/bin/env ruby
# As ruby-protoc writes it.
require 'protocol_buffers'

module Grpc
  class Header < ::ProtocolBuffers::Message
    set_fully_qualified_name "grpc.Header"

    optional :string, :id, 1
  end

end

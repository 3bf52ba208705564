#!/usr/bin/env ruby
# As ruby-protoc writes it.
require 'protocol_buffers'

begin; require 'header/header.pb'; rescue LoadError; end
module Zoo
  # enums
  module Colour
    include ::ProtocolBuffers::Enum

    set_fully_qualified_name "zoo.Colour"

    RED = 1
    BLUE = 2
  end

  class Horse < ::ProtocolBuffers::Message
    set_fully_qualified_name "zoo.Horse"

    required :string, :name, 1
    optional ::Zoo::Colour, :colour, 2
    repeated :int32, :numbers, 3
    optional ::Grpc::Header, :header, 4
    optional :string, :timestamp, 5
  end

end

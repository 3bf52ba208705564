# driver.rb - the loop of a script process: one request, one answer.
#
# Descriptor 3 is the shard's socket, 4 and 5 are memory files for requests and answers. A message
# on the socket is 24 bytes: what to do (or the outcome), which filter, how many bytes the file has,
# a serial number.

module Spate
  module Driver
    ADD, RUN, TICK, REMOVE, CHECK = 1, 2, 3, 4, 5
    REPLY_BYTES_MAX = Integer(ARGV[0] || 64 << 20)
    KINDS = { "ruby" => LogStash::Filters::Ruby, "aggregate" => LogStash::Filters::Aggregate }.freeze
    CHANGED, CANCELLED, CHILDREN, FRESH, FAILED = 1, 2, 8, 16, 32

    class Loop
      def initialize
        @socket = IO.for_fd(3, "r+b")
        @requests = IO.for_fd(4, "rb")
        @answers = IO.for_fd(5, "r+b")
        @filters = {}
        @keys = Keys.new
      end

      def run
        while (head = @socket.read(24))
          op, id, n, serial = head.unpack("L<2Q<2")
          status, out = answer(op, id, @requests.pread(n, 0))
          @answers.pwrite(out, 0)
          @socket.syswrite([status, id, out.bytesize, serial].pack("L<2Q<2"))
        end
      end

      private

      def answer(op, id, bytes)
        case op
        when ADD then @filters[id] = add(JSON.parse(bytes.force_encoding(Encoding::UTF_8)))
        when CHECK then check(JSON.parse(bytes.force_encoding(Encoding::UTF_8)))
        when REMOVE then @filters.delete(id)&.close
        when RUN then return [0, batch(@filters.fetch(id), Batch.new(bytes, @keys))]
        when TICK then return [0, tick(@filters.fetch(id), bytes.getbyte(0) != 0)]
        end
        [0, logs(+"")]
      rescue SystemExit, Exception => e
        [1, "#{e.class}: #{e.message}".b]
      end

      def add(definition)
        LogStash::Logger.level = definition["log_level"]
        KINDS.fetch(definition["kind"]).new(definition)
      end

      def check(definition)
        KINDS.fetch(definition["kind"]).check(definition)
      end

      def batch(filter, batch)
        out = String.new(capacity: 64 << 10, encoding: Encoding::BINARY)
        i = -1
        n = batch.size
        while (i += 1) < n
          event = LogStash::Event.at(batch, i)
          filter.run(event)
          from = out.bytesize
          begin
            outcome(out, event, filter.made, filter.outcome)
            raise RangeError, "more than #{REPLY_BYTES_MAX} bytes" if out.bytesize > REPLY_BYTES_MAX
          rescue Exception => e
            out.slice!(from..)
            give_up(filter, out, LogStash::Event.at(batch, i), e)
          end
        end
        logs(out)
      end

      # An event that cannot be sent back stays as it was, with a tag.
      def give_up(filter, out, event, error)
        event.tag(filter.config["tag_on_exception"])
        filter.report("the script's result cannot be used: #{error.message}", error)
        outcome(out, event, nil, FAILED)
      end

      def outcome(out, event, made, flags)
        flags_at = out.bytesize
        whole = !event.from_shard?
        out << 0
        flags |= CANCELLED if event.cancelled?
        flags |= FRESH if whole
        flags |= CHANGED if event.changes(out, whole)
        flags |= CHILDREN if made && children(out, made, event)
        out.setbyte(flags_at, flags)
      end

      def children(out, made, parent)
        made.reject!(&:cancelled?)
        return false if made.empty?
        [made.size].pack("L<", buffer: out)
        made.each { |child| child(out, child, parent) }
        true
      end

      # A copy of the event is sent as what differs from it.
      def child(out, child, parent)
        same = child.same_source?(parent)
        out << (same ? 1 : 0)
        out << "\0\0\0\0" unless child.changes(out, !same)
      end

      def tick(filter, last)
        events = filter.tick(last)
        out = [events.size].pack("L<")
        events.each { |event| event.changes(out, true) }
        logs(out)
      end

      def logs(out)
        lines = LogStash::Logger.lines
        [lines.size].pack("L<", buffer: out)
        lines.each { |level, text| [level, text.bytesize, text].pack("CL<a*", buffer: out) }
        lines.clear
        out
      end
    end
  end
end

# The shard ends this process by closing the socket; an interrupt from a terminal is the shard's.
Signal.trap("INT", "IGNORE")
Signal.trap("PIPE", "SYSTEM_DEFAULT")
Process.setproctitle("spate-ruby")
$stdout.sync = true
Spate::Driver::Loop.new.run
exit!(0)

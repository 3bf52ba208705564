# As protoc 3.20 writes it.
require 'google/protobuf'

Google::Protobuf::DescriptorPool.generated_pool.build do
  add_file("horse.proto", :syntax => :proto3) do
    add_message "zoo.Horse" do
      optional :name, :string, 1
      optional :age, :int32, 2
      repeated :numbers, :sint64, 3
      map :legs, :string, :int32, 4
      oneof :kind do
        optional :wings, :message, 5, "zoo.Wings"
        optional :horn, :string, 6
      end
      optional :colour, :enum, 7, "zoo.Colour"
      optional :f, :float, 8
      optional :yes, :bool, 9
    end
    add_message "zoo.Wings" do
      optional :width, :double, 1
    end
    add_enum "zoo.Colour" do
      value :RED, 0
      value :BLUE, 1
    end
  end
end

module Zoo
  Horse = ::Google::Protobuf::DescriptorPool.generated_pool.lookup("zoo.Horse").msgclass
end

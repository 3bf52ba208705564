require 'google/protobuf'

Google::Protobuf::DescriptorPool.generated_pool.build do
  add_file("horse.proto", :syntax => :proto3) do
    add_message "zoo.Horse" do
      optional :name, :string, 1
      optional :age, :int32, 2
    end
  end
end

module Zoo
  Horse = ::Google::Protobuf::DescriptorPool.generated_pool.lookup("zoo.Horse").msgclass
end

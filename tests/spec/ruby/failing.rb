def filter(event)
  []
end

test "what cannot be" do
  in_event { { "a" => 1 } }
  expect("an event that is not there") { |events| events.size == 1 }
end

# Without this line Rails looks for app/channels/ocpp_channel.rb to define OcppChannel, and stops.
ActiveSupport::Inflector.inflections(:en) { |inflect| inflect.acronym "OCPP" }

# Without this line, Rails expects app/channels/ocpp_channel.rb to define OcppChannel, and does not start.
ActiveSupport::Inflector.inflections(:en) { |inflect| inflect.acronym "OCPP" }
